"""A throw-away X display: Xvfb with a window manager that stays out of the way."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from Xlib import X
from Xlib.display import Display

from vision.geometry import Size

DEFAULT_SIZE = Size(640, 480)

START_SECONDS = 60.0
"""How long a program may take to come up; 18 s were seen where a dozen programs share a core."""

# Every click goes to the program under the pointer, and no key is kept back.
_OPENBOX_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <theme><keepBorder>no</keepBorder></theme>
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <keyboard/>
  <mouse>
    <context name="Client">
      <mousebind button="Left" action="Press">
        <action name="Focus"/><action name="Raise"/>
      </mousebind>
    </context>
  </mouse>
  <menu/>
  <applications><application class="*"><decor>no</decor></application></applications>
</openbox_config>
"""


_ADMIT = """
import sys
from Xlib import X
from Xlib.display import Display

display = Display()
host = list(b"localuser\\0" + sys.argv[1].encode())
display.change_hosts(X.HostInsert, X.FamilyServerInterpreted, host)
display.sync()  # answered only after it was done
"""


class DisplayError(OSError):
    """The display did not come up; the message names the program and the package that has it."""


class VirtualDisplay:
    """An X display of its own, alive inside a `with` block.

    It listens on a local socket only, lets in only the user of this process, and picks a free
    number itself. The environment of this
    process stays as it is: hand `env` to the programs that shall appear here, and `name` to
    libraries that take a display name. Not thread-safe.

    Args:
        size: width and height in whole pixels, 24 bits deep.
        window_manager: start openbox: windows get the focus and no decoration.

    Raises:
        DisplayError: on entering, when a program is missing or does not start.
    """

    def __init__(self, size: Size = DEFAULT_SIZE, window_manager: bool = True) -> None:
        self.size = size
        self._window_manager = window_manager
        self._held = ExitStack()
        self._name: str | None = None
        self._folder = Path()

    @property
    def name(self) -> str:
        """The display's name, such as ":7".

        Raises:
            DisplayError: the display is not open.
        """
        if self._name is None:
            raise DisplayError("expected an open display; enter it with `with VirtualDisplay():`")
        return self._name

    @property
    def env(self) -> dict[str, str]:
        """Environment variables for programs that shall appear on this display."""
        # A program that sees a Wayland session would open its window over there.
        kept = {name: value for name, value in os.environ.items() if "WAYLAND" not in name}
        ours = {"DISPLAY": self.name, "XAUTHORITY": str(self._authority)}
        return {**kept, **ours, "XDG_SESSION_TYPE": "x11"}

    @property
    def _authority(self) -> Path:
        return self._folder / "Xauthority"

    def __enter__(self) -> VirtualDisplay:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory("-eyehand-x")))
            self._authority.touch(mode=0o600)
            secret = secrets.token_bytes(16)
            self._authority.write_bytes(_cookie(secret, "0"))  # the server reads the secret only
            self._name = self._start_server(stack)
            stack.callback(setattr, self, "_name", None)
            self._authority.write_bytes(_cookie(secret, self._name[1:]))
            self._admit_this_user()
            if self._window_manager:
                self._start_window_manager(stack)
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def _start_server(self, stack: ExitStack) -> str:
        """Start Xvfb and return the name that it chose."""
        program = _find("Xvfb", "xvfb")
        read_end, write_end = os.pipe()
        geometry = f"{int(self.size.width)}x{int(self.size.height)}x24"
        options = ["-screen", "0", geometry, "-displayfd", str(write_end)]
        quiet = ["-nolisten", "tcp", "-noreset", "-auth", str(self._authority)]
        with os.fdopen(read_end, "rb", buffering=0) as answer:
            try:
                server = spawn(
                    [program, *options, *quiet],
                    dict(os.environ),
                    self._folder / "Xvfb.log",
                    stack,
                    write_end,
                )
            finally:
                os.close(write_end)
            number = _read_line(answer.fileno())
        if not number:
            raise _not_started("Xvfb", server, self._folder / "Xvfb.log")
        return f":{int(number)}"

    def _admit_this_user(self) -> None:
        """Let the programs of this user connect without the cookie, as this process must.

        Only a program whose environment names the cookie can say so, hence the child.
        """
        user = f"#{os.geteuid()}"
        child = subprocess.run(
            [sys.executable, "-c", _ADMIT, user], env=self.env, capture_output=True, text=True
        )
        if child.returncode != 0:
            raise DisplayError(f"{self.name} does not let us in: {child.stderr.strip()}")

    def _start_window_manager(self, stack: ExitStack) -> None:
        program = _find("openbox", "openbox")
        config = self._folder / "openbox.xml"
        config.write_text(_OPENBOX_CONFIG)
        log = self._folder / "openbox.log"
        manager = spawn([program, "--config-file", str(config)], self.env, log, stack)
        deadline = time.monotonic() + START_SECONDS
        while not _is_managed(self.name):
            if manager.poll() is not None or time.monotonic() > deadline:
                raise _not_started("openbox", manager, log)
            time.sleep(0.02)


def _cookie(secret: bytes, number: str) -> bytes:
    """The content of an authority file for a local display (the format of libXau)."""
    fields = socket.gethostname().encode(), number.encode(), b"MIT-MAGIC-COOKIE-1", secret
    family_local = struct.pack(">H", 256)
    return family_local + b"".join(struct.pack(">H", len(field)) + field for field in fields)


def _find(program: str, package: str) -> str:
    """The program's path, or an error that says how to get it."""
    path = shutil.which(program)
    if path is None:
        raise DisplayError(
            f"expected the program {program} on PATH, actually it is missing; "
            f"install it with `apt-get install {package}`"
        )
    return path


def spawn(
    command: list[str], env: dict[str, str], log: Path, stack: ExitStack, *keep: int
) -> subprocess.Popen[bytes]:
    """Start a program that is ended when the stack closes; `keep` are descriptors it inherits."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=keep,
            start_new_session=True,  # Ctrl-C reaches us, and we end our children in order
        )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, insist after a while, and reap it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_line(descriptor: int) -> bytes:
    """The first line that arrives in time; empty when the writer closed or said nothing."""
    line = b""
    deadline = time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 64) if ready else b""
        if not chunk:
            return b""
        line += chunk
    return line


def _is_managed(name: str) -> bool:
    """Whether a window manager has announced itself on the display (EWMH)."""
    display = Display(name)
    try:
        check = display.intern_atom("_NET_SUPPORTING_WM_CHECK")
        found = display.screen().root.get_full_property(check, X.AnyPropertyType)
        return found is not None
    finally:
        display.close()


def _not_started(program: str, process: subprocess.Popen[bytes], log: Path) -> DisplayError:
    """What to raise for a program that did not come up, with its own last words."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(1)  # a dying program is given time to say why
    said = log.read_text(errors="replace").strip().splitlines()[-3:]
    state = "still starting" if process.poll() is None else f"exit status {process.returncode}"
    return DisplayError(f"{program} did not start ({state}): {' | '.join(said) or 'no output'}")
