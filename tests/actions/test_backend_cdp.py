"""What only a page can do, and what goes wrong with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

import pytest

from actions.backends.base import BackendError
from actions.backends.cdp import CdpBackend
from actions.executor import Executor
from actions.guard import Guard, Permission, Rule
from actions.receipt import Outcome
from actions.space import (
    Button,
    Click,
    Drag,
    Hotkey,
    Navigate,
    NavigateBack,
    OpenApp,
    PressHome,
    Swipe,
    Type,
)
from agent.environments.headless import HeadlessBrowser
from vision.capture import CaptureError
from vision.cdp import ANSWER_SECONDS, CdpError, CdpPage
from vision.geometry import Point, Size
from vision.page_screen import PageScreen

if TYPE_CHECKING:
    from tests.actions.page_stage import PageStage

YES = (50, 20)


@pytest.fixture(scope="module")
def browser() -> Iterator[HeadlessBrowser]:
    with HeadlessBrowser() as shared:
        yield shared


@pytest.fixture
def page(browser: HeadlessBrowser) -> Iterator[CdpPage]:
    with CdpPage(browser.address, Size(320, 240)) as opened:
        opened.call("Page.navigate", url="about:blank")
        yield opened


def show(page: CdpPage, body: str) -> None:
    """Put something on the page; #a is a button at its corner."""
    style = (
        "<style>body{margin:0}#a{position:absolute;left:0;top:0;width:100px;height:40px}</style>"
    )
    page.evaluate(f"document.body.innerHTML = {style + body!r}; 0")


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_executor_and_page_agree(page_stage: PageStage) -> None:
    """The page's left half shows presses, its right half shows nothing."""
    with CdpBackend(page_stage.page) as backend:
        executor = Executor(backend, PageScreen(page_stage.page))
        outcomes = [
            executor.perform(action).outcome
            for action in (
                Click(Point(60, 60)),
                Click(Point(500, 60)),
                Type("ж"),
                Hotkey(("ctrl", "a")),
            )
        ]
    yes, no = Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT
    assert outcomes == [yes, no, yes, yes]


def test_clicks_are_counted_as_a_person_makes_them(page_stage: PageStage) -> None:
    with CdpBackend(page_stage.page) as backend:
        executor = Executor(backend)
        executor.perform(Click(Point(500, 60), count=3))
        executor.perform(Click(Point(500, 60)))
        executor.perform(Click(Point(500, 60), Button.RIGHT))
    presses = [e["count"] for e in page_stage.received() if e["event"] == "button_down"]
    assert presses == [1, 2, 3, 1, 1]


def test_shift_makes_capitals_and_ctrl_makes_commands(page: CdpPage) -> None:
    show(page, "<textarea id=a></textarea>")
    page.evaluate("a.focus()")
    with CdpBackend(page) as backend:
        executor = Executor(backend)
        for keys in (("shift", "a"), ("shift", "1"), ("b",)):
            executor.perform(Hotkey(keys))
        assert page.evaluate("a.value") == "A!b"
        executor.perform(Hotkey(("ctrl", "a")))
        executor.perform(Hotkey(("backspace",)))
    assert page.evaluate("a.value") == ""


def test_what_is_draggable_can_be_dropped(page: CdpPage) -> None:
    show(page, "<div id=a draggable=true>x</div><div id=b style='position:absolute;"
               "left:150px;top:100px;width:100px;height:100px;background:#eee'></div>")  # fmt: skip
    page.evaluate(
        "a.ondragstart = event => event.dataTransfer.setData('text/plain', 'carried');"
        "b.ondragover = event => event.preventDefault();"
        "b.ondrop = event => { b.textContent = event.dataTransfer.getData('text/plain') }; 0"
    )
    with CdpBackend(page) as backend:
        Executor(backend).perform(Drag(Point(20, 20), Point(200, 150)))
        assert soon(lambda: page.evaluate("b.textContent") == "carried")


@pytest.mark.parametrize(
    ("script", "answer"), [("alert('!')", None), ("confirm('?')", False), ("prompt('?')", None)]
)
def test_dialogs_are_answered_without_waiting(page: CdpPage, script: str, answer: object) -> None:
    show(page, "<button id=a>ask</button>")
    page.evaluate(f"answer = 1; a.onclick = () => answer = {script}; 0")
    with CdpBackend(page) as backend:
        assert Executor(backend).perform(Click(Point(*YES))).message == "the screen did not change"
        assert soon(lambda: page.evaluate("answer ?? null") == answer)


def test_what_the_page_opens_is_followed_and_left_when_it_is_closed(page: CdpPage) -> None:
    show(page, "<button id=a>open</button>")
    page.evaluate("a.onclick = () => { a.textContent = 'opened'; other = window.open('') }; 0")
    with CdpBackend(page) as backend:
        screen = PageScreen(page)
        executor = Executor(backend, screen)
        executor.perform(Click(Point(*YES)))
        assert soon(lambda: page.evaluate("!!opener"))
        assert screen.grab().box == (0, 0, 320, 240)
        show(page, "<button id=a onclick='window.close()'>close</button>")
        executor.perform(Click(Point(*YES)))
        assert soon(lambda: page.evaluate("a.textContent") == "opened")
        assert screen.grab().box == (0, 0, 320, 240)


def test_addresses_and_the_way_back(page_stage: PageStage, page: CdpPage) -> None:
    with CdpBackend(page) as backend:
        executor = Executor(backend, PageScreen(page))
        assert executor.perform(Navigate(page_stage.url)).outcome is Outcome.CONFIRMED
        assert page.evaluate("document.title") == "journal"
        assert executor.perform(NavigateBack()).outcome is Outcome.CONFIRMED
        assert soon(lambda: page.evaluate("document.title") == "")


@pytest.mark.parametrize(
    ("url", "why"), [("http://127.0.0.1:9/", "cannot be opened: net::ERR"), ("http://", "invalid")]
)
def test_an_address_that_cannot_be_opened(page: CdpPage, url: str, why: str) -> None:
    with CdpBackend(page) as backend:
        receipt = Executor(backend).perform(Navigate(url))
    assert receipt.outcome is Outcome.FAILED
    assert why in receipt.message


def test_nothing_to_go_back_to(browser: HeadlessBrowser) -> None:
    with HeadlessBrowser() as fresh, CdpPage(fresh.address) as page, CdpBackend(page) as backend:
        receipt = Executor(backend).perform(NavigateBack())
    assert receipt.message == "there is no page to go back to; this is the first one"


def test_rules_about_windows_are_about_title_and_address(
    page_stage: PageStage, page: CdpPage
) -> None:
    with CdpBackend(page) as backend:
        page.navigate(f"{page_stage.url}?token=hidden")
        assert backend.window(None) == backend.window(Point(5, 5)) == f"journal {page_stage.url}"
        bank = Rule(Permission.DENY, "the bank", window="^journal")
        guard = Guard((bank,), window=backend.window)
        assert guard.check(Click(Point(5, 5))).permission is Permission.DENY
        page.call("Page.navigate", url="about:blank")
        assert soon(lambda: guard.check(Click(Point(5, 5))).permission is Permission.ALLOW)


@pytest.mark.parametrize("action", [Swipe, OpenApp, PressHome])
def test_what_a_page_cannot_do_is_not_promised(page: CdpPage, action: type) -> None:
    with CdpBackend(page) as backend:
        assert not backend.supports(action)


def test_no_browser_names_the_fix() -> None:
    for address in ("http://127.0.0.1:9", "ws://127.0.0.1:9/x", "nonsense"):
        with pytest.raises(CdpError, match="--remote-debugging-port"):
            CdpPage(address)


def test_a_lost_browser_is_an_error_and_closing_still_works() -> None:
    with HeadlessBrowser() as browser:
        page = CdpPage(browser.address, Size(64, 48))
        backend, screen = CdpBackend(page), PageScreen(page)
        backend.key_down("ctrl")
    for broken in (
        lambda: backend.move(Point(1, 1)),
        lambda: backend.key_up("ctrl"),
        lambda: backend.type_text("ж"),
        backend.back,
    ):
        with pytest.raises(BackendError, match="gone"):
            broken()
    with pytest.raises(CaptureError, match="gone"):
        screen.grab()
    assert backend.window(None) == ""
    backend.release_all()
    for closable in (backend, page):
        closable.close()
        closable.close()


def test_a_closed_page_is_an_error() -> None:
    with (
        HeadlessBrowser() as browser,
        CdpPage(browser.address, Size(64, 48)) as page,
        CdpBackend(page) as backend,
    ):
        executor = Executor(backend, PageScreen(page))
        page.call("Page.close")
        receipt = executor.perform(Click(Point(5, 5)))
    assert receipt.outcome is Outcome.FAILED
    assert "gone" in receipt.message


@contextmanager
def server_that_waits(go: Event) -> Iterator[str]:
    """The address of an empty page; what else is asked for comes after `go`."""

    class Waiting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                go.wait()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Waiting) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            go.set()
            server.shutdown()
            thread.join()


def test_a_page_that_hangs_in_a_drag_is_one_failure_and_released_when_it_recovers(
    page: CdpPage,
) -> None:
    go = Event()
    with server_that_waits(go) as url, CdpBackend(page) as backend:
        page.navigate(url)
        page.evaluate(
            "log = []; addEventListener('mouseup', () => log.push('mouseup'));"
            "addEventListener('mousemove', event => {"
            "  if (!event.buttons || log.length) return;"
            "  log.push('hung'); const wait = new XMLHttpRequest();"
            "  wait.open('GET', '/slow', false); wait.send();"
            "}); 0"
        )
        page.patience = 0.5
        receipt = Executor(backend).perform(Drag(Point(20, 20), Point(200, 150)))
        page.patience = ANSWER_SECONDS
        go.set()
        assert receipt.outcome is Outcome.FAILED
        assert "does not answer" in receipt.message
        assert soon(lambda: page.evaluate("log") == ["hung", "mouseup"])


@pytest.mark.parametrize("scale", [1, 1.25, 1.5, 2])
def test_css_pixels_stay_what_they_are_on_a_scaled_page(
    browser: HeadlessBrowser, scale: float
) -> None:
    with CdpPage(browser.address, Size(320, 240), scale) as page, CdpBackend(page) as backend:
        show(page, "<div id=a style='background:#f00'></div>")
        frame = PageScreen(page).grab()
        assert (frame.width, frame.height) == (320 * scale, 240 * scale)
        assert frame.box == (0, 0, 320, 240)
        edge = round(100 * scale)
        assert [frame.pixels[5, x].tolist() for x in (edge - 1, edge)] == [[255, 0, 0], [255] * 3]
        page.evaluate("onmousemove = event => where = [event.clientX, event.clientY]; 0")
        for place in ((0, 0), (319, 239), (17, 23)):
            backend.move(Point(*place))
            assert page.evaluate("where") == list(place)


def test_a_browser_lost_in_the_middle_of_typing_is_one_clear_failure() -> None:
    with ExitStack() as browsers:
        browser = browsers.enter_context(HeadlessBrowser())
        with CdpPage(browser.address, Size(64, 48)) as page, CdpBackend(page) as backend:
            executor = Executor(backend)
            Timer(0.3, browsers.close).start()
            receipt = executor.perform(Type("Жук " * 20_000))
            again = executor.perform(Click(Point(5, 5)))
    assert receipt.outcome is again.outcome is Outcome.FAILED
    assert "the browser is gone" in receipt.message
