"""A fresh desktop for one episode: display, empty home folder, eyes, hands and programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType

from playwright.sync_api import Page
from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol.event import ClientMessage

from agent.environments.browser import Browser
from agent.environments.program import ProgramError, program
from agent.testing.desktop import Desktop
from vision.geometry import Point, Size

SIZE = Size(640, 480)


class Room:
    """Alive inside a `with` block; nothing in it knows the user's own settings.

    Attributes:
        home: the programs' home folder, inside the `with` block.
        hands: act in the room, inside the `with` block.
        screen: what an agent may look at, inside the `with` block.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self._browser: Browser | None = None

    def __enter__(self) -> Room:
        with ExitStack() as stack:
            self.home = Path(stack.enter_context(tempfile.TemporaryDirectory("-eyehand-home")))
            desktop = stack.enter_context(Desktop(SIZE))
            self.screen, self.hands = desktop.screen, desktop.hands
            self._display = desktop.display
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    @property
    def _env(self) -> dict[str, str]:
        xdg = {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "DATA")}
        plain = {"HOME": str(self.home), "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(self.home)}
        toolkits = {"QT_QPA_PLATFORM": "xcb", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
        return {**self._display.env, **plain, **xdg, **toolkits}

    def start(self, *command: str) -> Running:
        """Start a program; its window is up when this returns, and it ends with the room.

        Raises:
            ProgramError: it is not installed, or shows no window.
        """
        output = self.home / "output"
        file = self._held.enter_context(output.open("wb"))
        shown = program(command, self._display.name, self._env, file)
        return Running(self._held.enter_context(shown), output)

    def serve(self, *command: str) -> None:
        """Start a program that shows no window; it ends with the room.

        Raises:
            ProgramError: it is not installed.
        """
        path = located(command[0])
        if path is None:
            raise ProgramError(f"expected an installed program, actually not found: {command[0]}")
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(
            [path, *command[1:]], env=self._env, stdin=quiet, stdout=quiet, stderr=quiet
        )
        self._held.callback(server.wait)
        self._held.callback(server.terminate)

    def open(self, url: str) -> None:
        """Show a page in a browser that fills the screen.

        Raises:
            BrowserError: there is no browser, or it cannot open the page.
        """
        self._browser = self._held.enter_context(Browser(self._display))
        self._browser.call(lambda page: page.goto(url))

    def close_windows(self) -> None:
        """Ask every window to close, as its title bar would; programs then save what they keep."""
        with closing(Display(self._display.name)) as display:
            root = display.screen().root
            clients = root.get_full_property(display.get_atom("_NET_CLIENT_LIST"), Xatom.WINDOW)
            close = display.get_atom("_NET_CLOSE_WINDOW")
            for window in clients.value if clients else ():
                event = ClientMessage(window=window, client_type=close, data=(32, [0, 2, 0, 0, 0]))
                root.send_event(event, X.SubstructureRedirectMask | X.SubstructureNotifyMask)
            display.sync()

    def written(self, name: str) -> str:
        """What the home folder's files of a name hold; empty when there is none."""
        return "".join(file.read_text("utf-8") for file in self.home.rglob(name))

    def middle(self, selector: str) -> Point:
        """Where the first visible element of a CSS selector is, in pixels; for oracles only.

        Raises:
            BrowserError: it does not appear.
        """
        assert self._browser is not None, "tasks that ask for elements have opened a page"

        def find(page: Page) -> Point:
            found = page.locator(f"{selector} >> visible=true").first
            found.scroll_into_view_if_needed()
            box = found.bounding_box()
            assert box is not None, "it is visible"
            return Point(round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2))

        return self._browser.call(find)


class Running:
    """A program in a room."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.status is not None

    def wait(self, seconds: float = 30.0) -> None:
        """Until it ends; it may also take longer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def said(self) -> str:
        """What it has printed, without the last line's end."""
        return self._output.read_text("utf-8").rstrip("\n")


def located(name: str) -> str | None:
    """The path of a program; what pip installed lies beside Python, which need not be on PATH."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    return shutil.which(name, path=places)
