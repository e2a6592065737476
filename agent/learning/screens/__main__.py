"""Draw a contact sheet of generated screens with their boxes and questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageFont

from agent.learning.samples import Sample
from agent.learning.screens.generator import ScreenGenerator
from vision.geometry import Size

COLORS = ("red", "blue", "green", "magenta", "darkorange", "teal", "brown", "purple")


def main(
    out: Annotated[Path, typer.Option(help="Where to write the picture.")],
    count: Annotated[int, typer.Option(help="How many screens.")] = 40,
    seed: int = 0,
    first: Annotated[int, typer.Option(help="Number of the first screen.")] = 0,
    split: str = "train",
    size: Annotated[tuple[int, int], typer.Option(help="Width and height.")] = (160, 210),
    columns: int = 8,
    icons: Annotated[Path | None, typer.Option(help="Folder of icon sets.")] = None,
) -> None:
    """Write `count` screens as one picture."""
    generator = ScreenGenerator(seed, Size(*size), split, icons=icons)
    tiles = [_tile(generator.sample(first + index)) for index in range(count)]
    wide, tall = tiles[0].size
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * wide, rows * tall), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, ((index % columns) * wide, (index // columns) * tall))
    sheet.save(out)


def _tile(sample: Sample) -> Image.Image:
    """One screen at twice its size, its boxes, and the questions below."""
    font = ImageFont.load_default(12)
    picture = Image.fromarray(sample.pixels)
    wide, tall = picture.width * 2, picture.height * 2
    tile = Image.new("RGB", (wide + 8, tall + 18 * len(sample.questions) + 8), "white")
    tile.paste(picture.resize((wide, tall), Image.Resampling.NEAREST), (0, 0))
    pen = ImageDraw.Draw(tile)
    for index, question in enumerate(sample.questions):
        color = COLORS[index % len(COLORS)]
        mark = "" if question.box else " (absent)"
        pen.text((2, tall + 18 * index), question.instruction + mark, color, font)
        if question.box:
            pen.rectangle([2 * edge for edge in question.box], outline=color, width=2)
    return tile


if __name__ == "__main__":
    typer.run(main)
