"""The console in real Chromium, and what its files may and may not hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from agent.environments.display import VirtualDisplay
from agent.policies.scripted import ScriptedPolicy as Texts
from server.console.page import PUBLIC, place
from tests.server.conftest import TOKEN, Door, Open, wait_for
from tests.server.control_kit import Client, Desks, desk_on, settings
from tests.server.test_control import CLICK, DONE, FOREVER

STATIC = Path(__file__).parents[2] / "server" / "console" / "static"
SCREENSHOTS = "EYEHAND_SCREENSHOTS"
"""Environment variable: where a picture of every test's last page is kept, by default with the
test's own files."""
COLOUR = (
    "() => [...document.querySelector('#canvas').getContext('2d').getImageData(9, 9, 1, 1).data]"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen; what it showed last is kept as a picture."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    yield page
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path_factory.mktemp("console"))
    page.screenshot(path=folder / f"{re.sub('[^a-z0-9]+', '-', request.node.name).strip('-')}.png")
    context.close()
    assert [fault for fault in faults if "status of 401" not in fault] == []


def enter(page: Page, door: Door) -> None:
    page.goto(f"{door.url}/console/#token={TOKEN.secret}")


def becomes(page: Page, selector: str, text: str) -> None:
    page.locator(selector, has_text=re.compile(f"^{text}$")).wait_for(timeout=20_000)


# Its files


def test_the_page_loads_without_a_token_and_holds_nothing(door: Door) -> None:
    for path in PUBLIC:
        answer = door.bare.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert TOKEN.secret not in answer.text
    assert door.bare.get("/console/").headers["content-type"].startswith("text/html")
    assert door.bare.post("/console/", json={}).status_code == 401
    assert door.bare.get("/console/../v1/sessions").status_code == 401
    assert door.bare.get("/v1/episodes").status_code == 401


def test_a_page_of_another_origin_may_not_even_load_it(door: Door) -> None:
    assert door.bare.get("/console/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert door.bare.get("/console/", headers={"Host": "evil.example"}).status_code == 421


def test_every_file_is_served_and_loads_nothing_from_elsewhere() -> None:
    files = [*STATIC.iterdir(), place("shared.js")]
    assert {f"/console/{file.name}" for file in files} <= PUBLIC
    for file in files:
        text = file.read_text()
        own = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://[a-z]|@import|url\(", own), file
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|document\.write", text), (
            file
        )
    html = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", html)


# In Chromium


def test_a_task_from_the_first_page_to_the_recording(
    open_door: Open, page: Page, tmp_path: Path, display: VirtualDisplay
) -> None:
    texts = [CLICK, "Action: type(content='<img src=x onerror=alert(1)>')", DONE]
    door = open_door(Texts(texts), settings=settings(tmp_path), desks=desk_on(display.name))
    page.goto(f"{door.url}/console/")
    page.fill("#token", "x" * 43)
    page.press("#token", "Enter")
    page.locator("#notice", has_text="Authorization").wait_for()
    page.fill("#token", TOKEN.secret)
    page.press("#token", "Enter")
    page.click("#opening .primary")
    becomes(page, "#state", "idle")
    page.fill("#instruction", "press it")
    page.check("#supervised")
    page.press("#instruction", "Enter")
    becomes(page, "#asked", r"click \(320, 240\)")
    becomes(page, "#state", "asking")
    assert page.locator("#overlay circle").count() > 0
    assert page.locator("#caption").inner_text() == "Asks: click (320, 240)"
    assert page.locator("#thought").inner_text() == "the button"
    page.keyboard.press("a")
    page.locator("#asked", has_text="type “<img").wait_for()
    page.keyboard.press("d")
    becomes(page, "#state", "idle")
    assert page.locator("#timeline .pill").all_inner_texts()[-1] == "no visible effect"
    assert "refused" in page.locator("#timeline").inner_text()
    page.click("#go-episodes")
    page.click("#list button")
    page.locator("#place", has_text="1 of 3").wait_for()
    wait_for(lambda: bool(page.evaluate("document.querySelector('#picture').naturalWidth === 640")))
    page.keyboard.press("ArrowRight")
    page.locator("#place", has_text="2 of 3").wait_for()
    assert page.evaluate("sessionStorage.length") == 1
    assert page.context.cookies() == []


def test_the_screen_is_live_and_shows_tiles_where_they_belong(
    open_door: Open, page: Page, tmp_path: Path
) -> None:
    desks = Desks()
    desks.screen.pixels[:] = (200, 30, 40)
    door = open_door(settings=settings(tmp_path), desks=desks)
    Client.open(door)
    enter(page, door)
    wait_for(lambda: page.evaluate("document.querySelector('#canvas').width") == 400)
    wait_for(lambda: abs(page.evaluate(COLOUR)[0] - 200) < 6)
    desks.screen.pixels[:20, :20] = (10, 240, 20)
    wait_for(lambda: page.evaluate(COLOUR)[1] > 200)


def test_a_person_takes_over_with_mouse_and_keys_and_hands_back(
    open_door: Open, page: Page, tmp_path: Path
) -> None:
    desks = Desks()
    door = open_door(settings=settings(tmp_path), desks=desks)
    client = Client.open(door)
    enter(page, door)
    wait_for(lambda: page.evaluate("document.querySelector('#canvas').width") == 400)
    page.keyboard.press("t")
    becomes(page, "#state", "taken over")
    page.locator("#canvas.driven").wait_for()
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.type("hi")
    page.keyboard.press("Control+a")
    page.keyboard.press("Escape")
    told = ["text"] * 2 + ["key_down"] * 2 + ["key_up"] * 2 + ["key_down", "key_up"]
    wait_for(lambda: [e.kind for e in desks.backends[0].events][-8:] == told)
    events = desks.backends[0].events
    press = next(event for event in events if event.kind == "button_down")
    assert abs(press.point.x - 200) <= 1 and abs(press.point.y - 150) <= 1
    assert [event.text for event in events if event.kind == "text"] == ["h", "i"]
    assert [event.key for event in events[-4:]] == ["a", "ctrl", "esc", "esc"]
    page.keyboard.press("Shift+Escape")
    page.keyboard.press("t")
    becomes(page, "#state", "idle")
    assert client.session["controlled"]


def test_one_key_stops_and_another_clients_lease_disables_the_rest(
    open_door: Open, page: Page, tmp_path: Path
) -> None:
    door = open_door(Texts(FOREVER), settings=settings(tmp_path), desks=Desks())
    client = Client.open(door)
    client.take().do("run", instruction="press it", max_steps=999)
    enter(page, door)
    becomes(page, "#state", "running")
    becomes(page, "#lease", "another client controls")
    for name in ("pause", "step", "take"):
        assert page.locator(f"#{name}").is_disabled()
    page.keyboard.press("Escape")
    client.becomes("idle")
    becomes(page, "#state", "idle")


def test_a_session_that_was_closed_elsewhere_leaves_the_view(
    open_door: Open, page: Page, tmp_path: Path
) -> None:
    door = open_door(settings=settings(tmp_path), desks=Desks())
    client = Client.open(door)
    enter(page, door)
    becomes(page, "#link", "live")
    client.take()
    door.http.delete(f"/v1/sessions/{client.id}", headers={"X-Eyehand-Lease": client.lease})
    page.locator("#opening:not([hidden])").wait_for()


BRIGHT = """(selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [light(style.backgroundColor), light(style.color)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_systems_colours_and_can_be_told_otherwise(
    open_door: Open, page: Page, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    door = open_door(settings=settings(tmp_path), desks=Desks())
    Client.open(door)
    page.emulate_media(color_scheme=scheme)
    enter(page, door)
    becomes(page, "#state", "idle")
    ground, text = page.evaluate(BRIGHT, "body")
    assert (ground > 0.5) == (scheme == "light")
    contrast = (max(ground, text) + 0.05) / (min(ground, text) + 0.05)
    assert contrast >= 4.5  # WCAG 2.2, AA
    page.click("#theme")
    assert (page.evaluate(BRIGHT, "body")[0] > 0.5) != (scheme == "light")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1360, 860)])
def test_nothing_is_cut_off_on_a_phone_or_a_desk(
    open_door: Open, page: Page, tmp_path: Path, width: int, height: int
) -> None:
    door = open_door(Texts([CLICK, DONE]), settings=settings(tmp_path), desks=Desks())
    Client.open(door).take().do("run", instruction="press it " * 30, supervised=True)
    page.set_viewport_size({"width": width, "height": height})
    enter(page, door)
    becomes(page, "#state", "asking")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("stop", "approve", "take"):
        box = page.locator(f"#{name}").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
