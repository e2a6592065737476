"""Commands for checkpoints: `quantise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quantise(
    model: Annotated[Path, typer.Argument(help="Checkpoint folder.")],
    out: Annotated[Path, typer.Argument(help="New folder for the smaller one.")],
    group: Annotated[int, typer.Option(help="Inputs that share a scale: 32, 64, 128, 256.")] = 128,
) -> None:
    """Hold a checkpoint's MLPs, experts included, in 4 bits."""
    from agent.model.int4 import GROUPS
    from agent.model.quantise import quantise as write

    if group not in GROUPS:
        raise typer.BadParameter(f"expected one of {GROUPS}, actually: {group}")
    write(model, out, group)
    size = sum(file.stat().st_size for file in out.iterdir())
    typer.echo(f"{out}  {size / 1e6:.1f} MB")
