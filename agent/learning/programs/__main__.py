"""Write shards of desktop programs of a split, each in the themes of that split.

Run it as

    python -m agent.learning.programs --out data/programs --split train --count 20
    python -m agent.learning.programs --out data/mine --app "myapp --demo" --toolkit gtk
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from actions.backends.base import BackendError
from agent.environments.display import DisplayError
from agent.environments.program import ProgramError
from agent.learning.programs.apps import APPS, THEMES, App
from agent.learning.programs.stage import Play, samples
from agent.learning.programs.tree import TreeError
from agent.learning.samples import write_shard
from agent.learning.screens.generator import SPLITS
from agent.signals import keyboard_interrupt, on_signals
from vision.geometry import Size


def plays(apps: Iterable[App], size: Size, questions: int) -> Iterator[Play]:
    """Each program in each theme of its toolkit and its split."""
    for app in apps:
        for theme in THEMES:
            if (theme.toolkit, theme.split) == (app.toolkit, app.split):
                yield Play(app, theme, size, questions)


def film(all_plays: Iterable[Play], seeds: range, folder: Path) -> Iterator[Path]:
    """Write one shard per play; shards that exist are kept.

    Args:
        all_plays: what is shown.
        seeds: one per picture.
        folder: where the shards go; it is made when missing.

    Yields:
        The path of each shard, old or new.

    Raises:
        ProgramError: a program is not installed, or shows no window.
        DisplayError: there is no virtual display, or no session bus.
        TreeError: a program tells nothing.
        BackendError: a display has died.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for play in all_plays:
        name = f"program.{play.app.title}.{play.theme.title}"
        path = folder / f"{name}-{seeds.start:09d}-{len(seeds)}.npz"
        if not path.exists():
            write_shard(path, samples(play, seeds))
        yield path


def _own(command: str, toolkit: str, split: str) -> App:
    words = tuple(shlex.split(command))
    return App(Path(words[0]).name, words, toolkit, split, "")


def main(
    out: Annotated[Path, typer.Option(help="Folder for the shards.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="Pictures per program and theme.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[tuple[int, int], typer.Option(help="Of the display.")] = (640, 480),
    questions: Annotated[int, typer.Option(min=1, help="Asked about each picture.")] = 15,
    app: Annotated[list[str] | None, typer.Option(help="A program of your own.")] = None,
    toolkit: Annotated[str, typer.Option(help="Of your programs: gtk or qt.")] = "gtk",
) -> None:
    """Photograph desktop programs."""
    if split not in SPLITS:
        raise SystemExit(f"programs: expected a split of {', '.join(SPLITS)}, actually {split!r}")
    console = Console(stderr=True)
    known = [one for one in APPS if one.split == split]
    missing = [one for one in known if shutil.which(one.command[0]) is None]
    wanted = [_own(line, toolkit, split) for line in app or ()]
    wanted = wanted or [one for one in known if one not in missing]
    if missing and not app:
        packages = " ".join(one.package for one in missing)
        console.print(f"left out until you `apt-get install {packages}`")
    try:
        with on_signals(keyboard_interrupt):
            seeds = range(first_seed, first_seed + count)
            for path in film(plays(wanted, Size(*size), questions), seeds, out):
                console.print(path)
    except (ProgramError, DisplayError, TreeError, BackendError) as error:
        raise SystemExit(f"programs: {error}") from error


if __name__ == "__main__":
    typer.run(main)
