"""One offline HTML file that shows a failed test: before, after, expected and what differs."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from vision.frame import Frame

_TITLES = {"before": "Before", "after": "After", "expected": "Expected", "diff": "What differs"}


def write_failure(out: Path, test: str, message: str, pictures: Mapping[str, Frame]) -> Path:
    """Write the file; the difference is that of `expected` (else `before`) and `after`.

    Raises:
        OSError: it cannot be written.
    """
    shown = {name: _url(frame.to_image()) for name, frame in pictures.items()}
    other = pictures.get("expected", pictures.get("before"))
    if other is not None and "after" in pictures:
        shown["diff"] = _url(_difference(other, pictures["after"]))
    environment = Environment(
        loader=PackageLoader("agent.testing"), autoescape=True, undefined=StrictUndefined
    )
    panels = [(_TITLES[name], shown[name]) for name in _TITLES if name in shown]
    page = environment.get_template("failure.html").render(
        test=test, message=message, panels=panels
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return out


def _difference(one: Frame, other: Frame) -> Image.Image:
    """The later picture, pale, with every pixel that differs in red."""
    now = other.pixels
    if one.pixels.shape != now.shape:
        return Image.new("RGB", (other.width, other.height), (220, 40, 40))
    changed = np.abs(one.pixels.astype(np.int16) - now).max(axis=2) > 8
    pale = (255 - (255 - now.mean(axis=2, keepdims=True)) * 0.35).repeat(3, axis=2)
    pale[changed] = (220, 40, 40)
    return Image.fromarray(pale.astype(np.uint8))


def _url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()
