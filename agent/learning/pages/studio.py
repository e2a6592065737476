"""Takes pictures of pages in Chromium and asks about what is on them."""

from __future__ import annotations

import base64
import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from agent.environments.browser import BrowserError
from agent.environments.offscreen import launch
from agent.learning.oracles.page import script
from agent.learning.pages.markup import STYLE, Markup
from agent.learning.pages.skins import Skin
from agent.learning.samples import Glyphs, Question, Sample
from agent.learning.screens.canvas import Inventory
from agent.learning.screens.element import Element
from agent.learning.screens.fonts import families, installed
from agent.learning.screens.iconsets import icons_of
from agent.learning.screens.kit import Subject
from agent.learning.screens.questions import varied
from agent.learning.screens.vocabulary import Vocabulary
from vision.geometry import Box, Point, Size

ZOOMS = (0.8, 1.0, 1.0, 1.25, 1.6, 2.0)
"""How much larger than usual things are; those that fit the size of the screen are used."""

TYPED = 0.25
"""Share of questions that ask for text to be typed, where there is a field for it."""

FONT_SIZES = (12, 13, 14, 15, 16, 16, 18)

_LABELS = script(Path(__file__).with_name("page_labels.js"))
_TIDY = re.compile(r"[!-~]([ -~]{0,38}[!-~])?")
_DRESS = """([classes, root]) => {
  for (const [selector, names] of Object.entries(classes))
    document.querySelectorAll(selector).forEach(e => e.classList.add(...names.split(' ')));
  for (const [name, value] of Object.entries(root))
    document.documentElement.setAttribute(name, value);
}"""
_UNDRESS = """() => document.querySelectorAll('style, link[rel~=stylesheet]').forEach(
  e => e.remove())"""


@dataclass(frozen=True)
class Look:
    """How pages are shown.

    Attributes:
        split: decides about words, fonts and icons.
        size: of the pictures, in pixels.
        skins: folder of the kits' stylesheets.
        icons: folder of icon sets, or None for drawn icons.
        questions: asked about each page.
    """

    split: str
    size: Size
    skins: Path
    icons: Path | None = None
    questions: int = 12


class Studio:
    """A Chromium without a display, alive inside a `with` block.

    It has a thread of its own, because Playwright allows one browser per thread.

    Args:
        look: how pages are shown.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._held = ExitStack()

    def __enter__(self) -> Studio:
        with ExitStack() as stack:
            self._thread = stack.enter_context(ThreadPoolExecutor(1, "eyehand-studio"))
            session = ExitStack()  # opened and closed on the browser's thread
            stack.callback(lambda: self._thread.submit(session.close).result())
            try:
                self._browser: Browser = self._thread.submit(launch, session).result()
            except PlaywrightError as error:
                raise BrowserError(f"Chromium did not start: {error}") from error
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def sample(self, skin: Skin, seed: int, address: str = "") -> Sample:
        """A page in a skin; the same for the same arguments and fonts.

        Args:
            skin: a kit of the look's split.
            seed: decides everything else.
            address: of a page to dress; "" means one that is made up.

        Raises:
            BrowserError: the browser died, or the page cannot be opened.
        """
        try:
            return self._thread.submit(self._sample, skin, seed, address).result()
        except PlaywrightError as error:
            raise BrowserError(f"the browser died or its page failed: {error}") from error

    def _sample(self, skin: Skin, seed: int, address: str) -> Sample:
        look, rng = self._look, Random(f"{skin.title} {seed}")
        zoom = rng.choice([zoom for zoom in ZOOMS if _fits(look.size, zoom)])
        subject = Subject(
            rng=rng,
            canvas=Inventory(),
            words=Vocabulary(rng, look.split),
            icons=rng.choice(icons_of(look.icons, look.split)),
        )
        with ExitStack() as held:
            page = self._open(held, zoom, offline=not address)
            if address:
                page.goto(address)
                page.evaluate(_UNDRESS)
            else:
                page.set_content(Markup(rng, subject.words, subject.icons).page())
            self._dress(page, skin, rng)
            png, found = page.screenshot(), page.evaluate(_LABELS, _css(look.size, zoom))
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        return Sample(pixels, self._ask(subject, found, zoom), _glyphs(found, zoom))

    def _open(self, held: ExitStack, zoom: float, offline: bool) -> Page:
        width, height = _css(self._look.size, zoom)
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=zoom, offline=offline
        )
        held.callback(context.close)
        return context.new_page()

    def _dress(self, page: Page, skin: Skin, rng: Random) -> None:
        """Put on a skin, a font of the split, and scroll somewhere."""
        font, size = rng.choice(families(self._look.split)), rng.choice(FONT_SIZES)
        text = f"html {{ font-size: {size}px }} * {{ font-family: of-the-split !important }}"
        page.add_style_tag(content=skin.css(self._look.skins) + STYLE + _faces(font) + text)
        page.evaluate("() => document.fonts.ready.then(() => null)")
        page.evaluate(_DRESS, [dict(skin.classes), dict(skin.root)])
        down = rng.random() if rng.random() < 0.5 else 0
        page.evaluate(
            "part => scrollTo(0, part * (document.body.scrollHeight - innerHeight))", down
        )

    def _ask(self, subject: Subject, found: dict[str, Any], zoom: float) -> tuple[Question, ...]:
        seen = subject.canvas
        for element in found["elements"]:
            kept = seen.elements if element["whole"] else seen.remains
            kept.append(_element(element, zoom))
        running = [word for word in found["words"] if word["holder"] == "P"]
        seen.elements += [
            Element("word", _scaled(word["box"], zoom), word["text"]) for word in running
        ]
        seen.texts += [*found["texts"], *(word["text"] for word in running)]
        return varied(subject, self._look.questions, TYPED)


@lru_cache(maxsize=32)
def _faces(family: str) -> str:
    """A family under a name that no other font has; its name alone might match another file."""
    faces = zip(("normal", "bold"), installed()[family], strict=False)
    return "".join(
        f"@font-face {{ font-family: of-the-split; font-weight: {weight}; "
        f"src: url(data:font/sfnt;base64,{base64.b64encode(Path(file).read_bytes()).decode()}) }}"
        for weight, file in faces
    )


def _element(found: dict[str, Any], zoom: float) -> Element:
    label, caption = (text if _TIDY.fullmatch(text) else "" for text in
                      (found["label"], found["caption"]))  # fmt: skip
    anchor = Point(*(place * zoom for place in found["anchor"])) if found["anchor"] else None
    box = _scaled(found["box"], zoom)
    return Element(found["kind"], box, label, caption, found["shape"], anchor=anchor)


def _scaled(box: list[float], zoom: float) -> Box:
    """A box in whole screen pixels that lies inside one in CSS pixels."""
    left, top, right, bottom = (edge * zoom for edge in box)
    return Box(ceil(left), ceil(top), floor(right), floor(bottom))


def _glyphs(found: dict[str, Any], zoom: float) -> Glyphs:
    chars = "".join(char for char, _, _ in found["glyphs"])
    centers = np.array([spot for _, *spot in found["glyphs"]], np.float32).reshape(-1, 2)
    return Glyphs(chars, centers * np.float32(zoom))


def _fits(size: Size, zoom: float) -> bool:
    """Whether the screen is a whole number of CSS pixels at a zoom, and not too few."""
    return size.width / zoom % 1 == size.height / zoom % 1 == 0 and size.width / zoom >= 300


def _css(size: Size, zoom: float) -> list[int]:
    return [round(size.width / zoom), round(size.height / zoom)]
