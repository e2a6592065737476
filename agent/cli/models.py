"""Commands for checkpoints: `quantise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quantise(
    model: Annotated[Path, typer.Argument(help="Checkpoint folder.")],
    out: Annotated[Path, typer.Argument(help="New folder for the smaller one.")],
    group: Annotated[int, typer.Option(help="Inputs that share a scale: 32, 64, 128, 256.")] = 128,
    bits: Annotated[int, typer.Option(help="4 for the MLPs, 8 for all matrices.")] = 4,
) -> None:
    """Make a checkpoint smaller.

    With 4 bits its MLPs, experts included, are held in 4 bits and computed with; with 8 all of its
    matrices are stored in 8 bits, which halves the file and costs nothing when it runs.
    """
    from agent.model.int4 import GROUPS
    from agent.model.quantise import EIGHT
    from agent.model.quantise import quantise as write

    if group not in GROUPS:
        raise typer.BadParameter(f"expected one of {GROUPS}, actually: {group}")
    if bits not in (4, EIGHT):
        raise typer.BadParameter(f"expected 4 or 8, actually: {bits}", param_hint="--bits")
    write(model, out, group, bits)
    size = sum(file.stat().st_size for file in out.iterdir())
    typer.echo(f"{out}  {size / 1e6:.1f} MB")
