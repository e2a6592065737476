"""Write shards of pages under the CSS kits of a split.

Run it as

    python -m agent.learning.pages --out data/pages --split train --count 50
    python -m agent.learning.pages --out data/mine --page app/index.html --page http://localhost:8000
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from agent.environments.browser import BrowserError
from agent.learning.npm import NpmError
from agent.learning.pages.skins import SKINS, Skin, fetch
from agent.learning.pages.studio import Look, Studio
from agent.learning.samples import write_shard
from agent.learning.screens.generator import SPLITS
from agent.learning.screens.iconsets import IconSetError
from agent.signals import keyboard_interrupt, on_signals
from vision.geometry import Size

SHARD_SIZE = 25
"""Pages of a shard; large pictures take much memory at once."""


def photograph(
    look: Look, skins: Sequence[Skin], seeds: range, folder: Path, pages: Sequence[str] = ("",)
) -> Iterator[Path]:
    """Write one shard per `SHARD_SIZE` seeds of each skin and page; shards that exist are kept.

    Args:
        look: how pages are shown.
        skins: kits of the look's split.
        seeds: another seed gives another page, or shows a given one in another way.
        folder: where the shards go; it is made when missing.
        pages: addresses of pages to dress; "" means pages that are made up.

    Yields:
        The path of each shard, old or new.

    Raises:
        NpmError: a stylesheet is missing and npm cannot give it.
        BrowserError: the browser died; what was written stays, and the next call goes on there.
        IconSetError: the look names a folder without icon sets.
    """
    fetch(skins, look.skins)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        studio: Studio | None = None  # no browser is started when nothing is missing
        for skin, number, part in _plan(skins, seeds, len(pages)):
            which = f".{number}" if pages[number] else ""
            path = folder / f"page.{skin.title}{which}-{part.start:09d}-{len(part)}.npz"
            if not path.exists():
                studio = studio or held.enter_context(Studio(look))
                write_shard(path, [studio.sample(skin, seed, pages[number]) for seed in part])
            yield path


def _plan(skins: Sequence[Skin], seeds: range, pages: int) -> Iterator[tuple[Skin, int, range]]:
    for skin in skins:
        for number in range(pages):
            for first in seeds[::SHARD_SIZE]:
                yield skin, number, range(first, min(first + SHARD_SIZE, seeds.stop))


def _address(page: str) -> str:
    """A page as a browser names it."""
    return page if "://" in page else Path(page).resolve(strict=True).as_uri()


def main(
    out: Annotated[Path, typer.Option(help="Folder for the shards.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="Pages per kit.")] = 50,
    first_seed: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[tuple[int, int], typer.Option(help="Width and height.")] = (1280, 800),
    questions: Annotated[int, typer.Option(min=1, help="Asked about each page.")] = 12,
    page: Annotated[list[str] | None, typer.Option(help="A page of your own to dress.")] = None,
    skins: Annotated[Path, typer.Option(help="Folder of the kits.")] = Path("runs/kits"),
    icons: Annotated[Path | None, typer.Option(help="Folder of icon sets.")] = None,
) -> None:
    """Photograph pages under CSS kits."""
    if split not in SPLITS:
        raise SystemExit(f"pages: expected a split of {', '.join(SPLITS)}, actually {split!r}")
    look = Look(split, Size(*size), skins, icons, questions)
    wanted = [skin for skin in SKINS if skin.split == split]
    seeds = range(first_seed, first_seed + count)
    try:
        with on_signals(keyboard_interrupt):
            pages = [_address(one) for one in page or ()] or [""]
            shards = photograph(look, wanted, seeds, out, pages)
            total = len(wanted) * len(pages) * -(-count // SHARD_SIZE)
            for _ in track(shards, "Shards", total=total):
                pass
    except (NpmError, BrowserError, IconSetError, OSError) as error:
        raise SystemExit(f"pages: {error}") from error


if __name__ == "__main__":
    typer.run(main)
