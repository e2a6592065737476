"""The HTML report, opened in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from actions.receipt import Outcome, Receipt
from actions.space import Action, Click, Drag, Finished, Scroll, Step, Type, on_points
from actions.space import Direction as Way
from agent.environments.browser import PROGRAMS
from agent.episodes.format import End, Ending, Head
from agent.episodes.report import write_report
from agent.episodes.view import describe
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision, Timing, Usage
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
MAP = CoordinateMap(Box(-100, 0, 0, 80), Size(200, 160))
ACTIONS: tuple[Action, ...] = (
    Click(Point(500, 500)),
    Drag(Point(100, 100), Point(900, 900)),
    Type(f"hello {EVIL}"),
    Scroll(Way.DOWN, Point(500, 500)),
    Finished("all done"),
)


def record(path: Path, count: int = 5) -> Path:
    with EpisodeWriter(path, Head(f"Book a table {EVIL}")) as writer:
        for number, action in enumerate(ACTIONS[:count]):
            pixels = np.full((160, 200, 3), 40 * number, np.uint8)
            frame = Frame(pixels, MAP.screen)
            step = Step(f"thought {number} {EVIL}", (action,))
            decision = Decision(
                f"text {number}", MAP, step, None, 0.5, Usage(9), Timing(1, 2, 3, 7)
            )
            target = on_points(action, MAP.to_screen)
            receipts = [Receipt(target, Outcome.NO_VISIBLE_EFFECT, "nothing moved", 4, 5)]
            writer.append(frame, decision, [target], receipts)
        writer.close(Ending(End.FINISHED, "all done", 1.0))
    return path


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    options += ["--disable-component-update", "--no-first-run", "--disable-quic"]
    program = next(path for name in PROGRAMS if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        yield page
        browser.close()


def test_the_report_opens_offline_and_turns_its_pages(tmp_path: Path, page: Page) -> None:
    out = write_report(record(tmp_path / "e"), tmp_path / "new" / "report.html")
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url[:5]))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(out.as_uri())
    assert page.inner_text("#place") == "Step 1 of 5"
    assert page.inner_text("#outcome") == "finished · reward 1"
    assert EVIL in page.inner_text("#instruction")
    assert f"thought 0 {EVIL}" in page.inner_text("#detail")
    assert page.title() == f"Book a table {EVIL} – Eyehand"
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 200
    # The middle of the screen, seen at 2 picture pixels per screen pixel.
    center = page.locator("#overlay .dot").first
    assert (center.get_attribute("cx"), center.get_attribute("cy")) == ("101", "81")

    page.keyboard.press("ArrowRight")
    assert page.inner_text("#place") == "Step 2 of 5"
    assert "drag (-90, 8) → (-10, 72)" in page.inner_text("#detail")
    assert page.locator("#overlay .inked").count() == 1
    page.keyboard.press("o")
    assert page.locator("#overlay *").count() == 0
    page.keyboard.press("o")
    page.keyboard.press("a")
    assert page.locator("#overlay *").count() == 0
    page.keyboard.press("End")
    assert page.inner_text("#caption") == "finished “all done”"

    page.keyboard.press("/")
    page.keyboard.type("thought 3")
    assert page.inner_text("#place") == "Step 4 of 5"
    assert page.inner_text("#hits") == "1 of 5"
    assert page.inner_text("mark") == "thought 3"
    assert not faults
    assert set(asked) <= {"file:", "data:"}


def test_several_episodes_share_a_page(tmp_path: Path, page: Page) -> None:
    paths = [record(tmp_path / "one", 2), record(tmp_path / "two", 3), record(tmp_path / "zero", 0)]
    out = write_report(paths, tmp_path / "report.html")
    page.goto(f"{out.as_uri()}#2.3")
    assert page.inner_text("#place") == "Step 3 of 3"
    page.select_option("#episode", "0")
    assert page.inner_text("#place") == "Step 1 of 2"
    page.select_option("#episode", "2")
    assert page.inner_text("#lost") == "This episode has no steps."
    # A picture that several episodes show is embedded once.
    assert len(re.findall('<script type="image/webp" id=', out.read_text())) == 3


def test_a_step_is_shown_before_the_later_pictures_are_there(tmp_path: Path, page: Page) -> None:
    """What a browser does with a file of 100 MB while it still reads it."""
    whole = write_report(record(tmp_path / "e"), tmp_path / "report.html").read_text()
    blocks = [match.start() for match in re.finditer('\n<script type="image/webp"', whole)]
    (tmp_path / "part.html").write_text(whole[: blocks[1]])
    page.goto((tmp_path / "part.html").as_uri())
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 200
    page.keyboard.press("End")
    assert page.inner_text("#lost") == "The picture is being read."
    late = whole[blocks[-1] :].partition("<script")[2].partition("</script>")[0]
    digest, text = late.partition('id="')[2].split('">')
    page.evaluate(
        "([id, text]) => { const s = document.createElement('script'); s.type = 'image/webp';"
        " s.id = id; s.textContent = text; document.body.append(s); }",
        [digest, text],
    )
    page.wait_for_selector("#screen:not([hidden])")


def test_a_lost_image_and_an_open_end_are_told(tmp_path: Path, page: Page) -> None:
    with EpisodeWriter(tmp_path / "e", Head("x")) as writer:
        frame = Frame(np.zeros((20, 20, 3), np.uint8), Box(0, 0, 20, 20))
        writer.append(frame, Decision("clik", MAP, error="no such action"))
        writer.wait()
        [image] = (tmp_path / "e" / "images").iterdir()
        content = image.read_bytes()
        image.unlink()
        page.goto(write_report(tmp_path / "e", tmp_path / "report.html").as_uri())
        image.write_bytes(content)
    assert "cannot be read" in page.inner_text("#lost")
    assert page.inner_text("#outcome") == "not closed"
    assert page.inner_text(".error") == "no such action"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"type": "click", "point": [1, 2], "button": "left", "count": 1}, "click (1, 2)"),
        ({"type": "click", "point": [0, 2], "button": "right"}, "right click (0, 2)"),
        ({"type": "click", "point": [1, 2], "count": 2}, "double click (1, 2)"),
        ({"type": "type", "text": "hi", "submit": True}, "type “hi” ⏎"),
        ({"type": "drag", "start": [1, 2], "end": [3, 4]}, "drag (1, 2) → (3, 4)"),
        ({"type": "scroll", "direction": "up", "clicks": 3}, "scroll up 3"),
        ({"type": "hotkey", "keys": ["ctrl", "c"]}, "press ctrl + c"),
        ({"type": "wait", "seconds": 5.0}, "wait 5 s"),
        ({"type": "open_app", "name": "gedit"}, "open app “gedit”"),
        ({"type": "press_home"}, "press home"),
        ({"type": "finished", "text": ""}, "finished"),
    ],
)
def test_actions_read_well(action: dict[str, object], words: str) -> None:
    assert describe(action) == words
