"""How far from the model's point the pointer lands: 10,000 random targets on 12 screens.

    python -m benchmarks.pointer [--targets 10000]

Each target is a random pixel of a real display, page or compositor. It goes the full way: screen ->
model image -> whole numbers of 0..1000 -> screen -> event -> what the other end received. "model's
point" is how far the pointer landed from the pixel that the model's numbers name; "target" is how
far from the pixel that was meant, at most half a step of 0..1000, rounded up ("bound"). The rival
is the arithmetic of the published UI-TARS clients, round(side * number / 1000). Needs Xvfb,
Chromium and Sway (scripts/setup); the table is in docs/benchmarks/pointer.md.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from Xlib.display import Display

from actions.backends.base import Backend
from actions.backends.cdp import CdpBackend
from actions.backends.wayland import WaylandBackend
from actions.backends.x11 import X11Backend
from agent.environments.display import VirtualDisplay
from agent.environments.headless import HeadlessBrowser
from tests.actions.conftest import add_second_monitor
from tests.actions.wayland_stage import Placed, open_wayland_stage
from vision.capture import Eyes, Screen
from vision.cdp import CdpPage
from vision.geometry import Box, Point, Size
from vision.image import prepare
from vision.page_screen import PageScreen
from vision.wayland import Compositor
from vision.wayland_screen import WaylandScreen

WHERE = "window.onmousemove = event => places.push([event.clientX, event.clientY])"


@dataclass(frozen=True)
class Screens:
    """One set-up: what looks, what acts, and where the pointer is known to have been since."""

    eyes: Eyes
    backend: Backend
    landed: Callable[[], Sequence[Point]]


@contextmanager
def x11(size: Size, divided: bool = False) -> Iterator[Screens]:
    """An X display, looked at through a connection of its own."""
    with ExitStack() as stack:
        display = stack.enter_context(VirtualDisplay(size, window_manager=False))
        witness = Display(display.name)
        stack.callback(witness.close)
        if divided:
            add_second_monitor(witness)
        screen = stack.enter_context(Screen(display.name))
        backend = stack.enter_context(X11Backend(display.name))

        def landed() -> Sequence[Point]:
            place = witness.screen().root.query_pointer()
            return [Point(place.root_x - screen.origin.x, place.root_y - screen.origin.y)]

        yield Screens(screen, backend, landed)


@contextmanager
def page(size: Size, scale: float) -> Iterator[Screens]:
    """A page that remembers where the pointer was."""
    with HeadlessBrowser() as browser, CdpPage(browser.address, size, scale) as opened:
        opened.evaluate(f"places = []; {WHERE}; 0")

        def landed() -> Sequence[Point]:
            return [Point(*place) for place in opened.evaluate("places.splice(0)")]

        with CdpBackend(opened) as backend:
            yield Screens(PageScreen(opened), backend, landed)


@contextmanager
def wayland(*outputs: Placed) -> Iterator[Screens]:
    """Sway with a client on every output."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_wayland_stage(Path(folder), outputs) as stage,
        Compositor(stage.display) as compositor,
        WaylandBackend(compositor) as backend,
    ):
        stage.received()

        def landed() -> Sequence[Point]:
            return [Point(e["x"], e["y"]) for e in stage.received() if e["event"] == "motion"][-1:]

        yield Screens(WaylandScreen(compositor), backend, landed)


SETUPS = {
    "X11 1366x768": lambda: x11(Size(1366, 768)),
    "X11 1920x1080": lambda: x11(Size(1920, 1080)),
    "X11 7680x4320": lambda: x11(Size(7680, 4320)),
    "X11 two, second at -400,-300": lambda: x11(Size(640, 480), divided=True),
    "page 1280x800, scale 1": lambda: page(Size(1280, 800), 1),
    "page 1280x800, scale 1.25": lambda: page(Size(1280, 800), 1.25),
    "page 1280x800, scale 1.5": lambda: page(Size(1280, 800), 1.5),
    "page 1280x800, scale 2": lambda: page(Size(1280, 800), 2),
    "Sway 1920x1080, scale 1": lambda: wayland(("1920x1080 0,0", 1)),
    "Sway 1920x1080, scale 1.25": lambda: wayland(("1920x1080 0,0", 1.25)),
    "Sway 3840x2160, scale 2": lambda: wayland(("3840x2160 0,0", 2)),
    "Sway two, second at -800,-600, 1.5": lambda: wayland(
        ("1920x1080 0,0", 1), ("1200x900 -800,-600", 1.5)
    ),
}


@dataclass
class Errors:
    """The largest errors of a set-up, in screen pixels.

    Attributes:
        aim: from the pixel that holds the model's point to the pixel where the pointer landed.
        target: from the target to where the pointer landed; whole numbers of 0..1000 cost this.
        rival: from the target to where the rival's arithmetic says.
        outside: how often that is not on the screen at all.
    """

    aim: float = 0.0
    target: float = 0.0
    rival: float = 0.0
    outside: int = 0


def measure(screens: Screens, targets: int, rng: random.Random) -> Errors:
    """Send the pointer to random targets."""
    errors = Errors()
    scale = prepare(screens.eyes.grab()).map
    box, before = scale.screen, None
    monitors = [monitor.box for monitor in screens.eyes.monitors()]
    for target in (pick(rng, monitors) for _ in range(targets)):
        exact = scale.to_model(target)
        in_image = scale.model_to_image(exact)
        said = Point(*(round(side) for side in scale.image_to_model(in_image)))
        aimed = scale.to_screen(said)
        if aimed == before:  # a pointer that is there already makes no event
            continue
        before = aimed
        screens.backend.move(aimed)
        landed = screens.landed()[-1]
        rival = Point(
            box.left + round(said.x * box.width / 1000),
            box.top + round(said.y * box.height / 1000),
        )
        pointed = Point(box.left + said.x * box.width / 1000, box.top + said.y * box.height / 1000)
        errors.aim = max(errors.aim, far(landed, Point(*map(math.floor, pointed))))
        errors.target = max(errors.target, far(landed, target))
        errors.rival = max(errors.rival, far(rival, target))
        errors.outside += not box.contains(rival)
    return errors


def pick(rng: random.Random, boxes: Sequence[Box]) -> Point:
    """A random pixel; one in ten is a corner of a monitor."""
    box = rng.choice(boxes)
    if rng.random() < 0.1:
        return Point(rng.choice((box.left, box.right - 1)), rng.choice((box.top, box.bottom - 1)))
    return Point(
        rng.randrange(int(box.left), int(box.right)), rng.randrange(int(box.top), int(box.bottom))
    )


def far(one: Point, other: Point) -> float:
    """The larger of the two distances along the axes."""
    return max(abs(one.x - other.x), abs(one.y - other.y))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=10_000, help="of all set-ups together")
    each = -(-parser.parse_args().targets // len(SETUPS))
    print(f"{each} targets on each screen; the largest errors in screen pixels", end="\n\n")
    print("| screen | picture | model's point | target | bound | rival | rival off screen |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, open_screens in SETUPS.items():
        with open_screens() as screens:
            errors = measure(screens, each, random.Random(name))  # the same targets every time
            box = screens.eyes.box
        size = f"{box.width:g}x{box.height:g}"
        bound = math.ceil(max(box.width, box.height) / 2000)
        far_off = f"{errors.aim:g} | {errors.target:g} | {bound} | {errors.rival:g}"
        print(f"| {name} | {size} | {far_off} | {errors.outside} |", flush=True)
    print(f"\n{platform.platform()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
