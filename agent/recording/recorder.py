"""An episode of a person at work."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

from Xlib import X

from actions.dialects import render
from actions.receipt import Outcome, Receipt
from actions.space import Action, Finished, Step, Type, on_points
from agent.episodes.format import End, Ending, Head
from agent.episodes.withhold import WITHHELD, Secrets
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from agent.recording.deeds import Composer, Deed
from agent.recording.inputs import BUTTONS, WHEEL, Input, What
from agent.recording.listen import Listener, Raw
from agent.recording.passwords import PasswordWatch
from agent.recording.watch import Watch
from vision.capture import Screen
from vision.frame import Frame
from vision.geometry import CoordinateMap, Point, Size

DIALECT = "opencua-absolute"
"""It alone has words for all that hands do, and whole pixels come back as they were."""

PRIVATE = ("ctrl", "alt", "p")
"""Pressed once, nothing is recorded until it is pressed again."""

_TICK_SECONDS = 0.1


class Recorder:
    """Records what happens on an X display between entering and leaving a `with` block.

    Args:
        screen: the display to record; stays open.
        display: its name, None means the one in $DISPLAY.
        path: a new folder for the episode.
        instruction: what the person is going to do.
        private: keys that switch the recording off and on again.
        told: is told every deed, in the recorder's thread; must not raise.
        session: address of the session bus, None means the one in the environment.

    Raises:
        BackendError: there is no such display, or people cannot be recorded on it.
        EpisodeError: the record cannot be begun.
    """

    def __init__(
        self,
        screen: Screen,
        display: str | None,
        path: Path,
        instruction: str,
        private: tuple[str, ...] = PRIVATE,
        told: Callable[[Deed], None] = lambda deed: None,
        session: str | None = None,
    ) -> None:
        self._screen = screen
        self._private = frozenset(private)
        self._told = told
        self._secrets = Secrets()
        self._watch = Watch(screen)
        self.passwords = PasswordWatch(session)
        self._listener = Listener(display, self._hear)
        layout = {
            "box": list(screen.box),
            "monitors": [list(monitor.box) for monitor in screen.monitors()],
        }
        head = Head(instruction, DIALECT, layout, {"name": "a person"}, source="human", rules=())
        self._writer = EpisodeWriter(path, head, withhold=self._secrets)
        self._composer = Composer()
        self._queue: SimpleQueue[Input | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._offset = math.inf
        self._last = 0.0
        self._off = False
        self._pending: Deed | None = None
        self._note = ""
        self._failure: Exception | None = None
        self._held = ExitStack()

    def __enter__(self) -> Recorder:
        with ExitStack() as stack:
            stack.push(self._writer)
            stack.enter_context(self._watch)
            stack.enter_context(self.passwords)
            self._thread.start()
            stack.callback(self._finish)
            stack.enter_context(self._listener)
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.__exit__(kind, error, trace)
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def failed(self) -> bool:
        """Whether the recording broke off; leaving the block raises why."""
        return self._failure is not None or self._watch.error is not None

    def _hear(self, raw: Raw) -> None:
        """On the listener's thread: what the screen showed is known now or never."""
        seconds = raw.time / 1000
        self._offset = min(self._offset, time.time() - seconds)
        event = self._input(raw, seconds)
        if event is None:
            return
        if event.what is What.KEY_DOWN and self._private == event.held | {event.key}:
            self._switch()
        elif not self._off:
            moment = seconds + self._offset
            if event.what in (What.PRESS, What.WHEEL, What.KEY_DOWN):
                event = replace(event, frame=self._watch.before(moment, self._last))
            self._last = moment
            self._queue.put(event)

    def _input(self, raw: Raw, seconds: float) -> Input | None:
        """The event in our terms, None when it is of no interest."""
        origin = self._screen.origin
        point = Point(raw.x - origin.x, raw.y - origin.y)
        if raw.kind in (X.KeyPress, X.KeyRelease):
            what = What.KEY_DOWN if raw.kind == X.KeyPress else What.KEY_UP
            secret = self.passwords.secret
            return Input(
                what, seconds, point, key=raw.key, text=raw.text, held=raw.held, secret=secret
            )
        if raw.detail in BUTTONS:
            what = What.PRESS if raw.kind == X.ButtonPress else What.RELEASE
            return Input(what, seconds, point, button=BUTTONS[raw.detail], held=raw.held)
        if raw.detail in WHEEL and raw.kind == X.ButtonPress:
            return Input(What.WHEEL, seconds, point, direction=WHEEL[raw.detail], held=raw.held)
        return None

    def _switch(self) -> None:
        """Off or on again; in between neither events nor pictures are kept."""
        self._off = not self._off
        self._watch.look_away(self._off)
        self._queue.put(None)

    def _write(self) -> None:
        """The recorder's thread."""
        over = False
        while not over:
            try:
                event = self._queue.get(timeout=_TICK_SECONDS)
            except Empty:
                deeds = list(self._composer.wait(time.time() - self._offset))
            else:
                over = event is _OVER
                deeds = list(
                    self._composer.end() if event is None or over else self._composer.feed(event)
                )
                if event is None and not self._note:
                    self._note = "here nothing was recorded, as the person wished"
            try:
                for deed in deeds:
                    self._add(deed)
            except Exception as error:  # raised again where the block is left
                self._failure = error
                return

    def _add(self, deed: Deed) -> None:
        """A deed is written when the next one shows what it led to."""
        assert deed.first.frame is not None, "only what has a picture begins a deed"
        self._write_pending(deed.first.frame)
        self._pending = deed
        self._told(deed)

    def _write_pending(self, after: Frame) -> None:
        deed, self._pending = self._pending, None
        if deed is None or deed.first.frame is None:
            return
        frame = deed.first.frame
        changed = frame.digest != after.digest
        outcome = Outcome.CONFIRMED if changed else Outcome.NO_VISIBLE_EFFECT
        actions = tuple(self._withheld(action, deed.secret) for action in deed.actions)
        note, self._note = self._note, ""
        receipts = [Receipt(action, outcome) for action in actions]
        self._writer.append(frame, self._decision(frame, actions), actions, receipts, note)

    def _withheld(self, action: Action, secret: bool) -> Action:
        """The action as it may be written: what the writer's hook is too coarse for goes here."""
        if not (secret and isinstance(action, Type)):
            return action
        if len(action.text) < 3:
            return replace(action, text=WITHHELD)
        self._secrets.add(action.text)
        return action

    def _decision(self, frame: Frame, actions: tuple[Action, ...]) -> Decision:
        """What a model would have written."""
        size = Size(frame.width, frame.height)
        space = CoordinateMap(frame.box, size, size)
        left, top = frame.box.left, frame.box.top
        inside = (on_points(each, lambda p: Point(p.x - left, p.y - top)) for each in actions)
        step = Step("", tuple(inside))
        return Decision(render(step, DIALECT), space, step)

    def _finish(self) -> None:
        """Write what is left, and that it is finished."""
        self._queue.put(_OVER)
        self._thread.join()
        if self._failure is not None:
            return
        if self._off and self._pending is not None and self._pending.first.frame is not None:
            self._write_pending(self._pending.first.frame)  # what it led to is private
        elif not self._off:
            last = self._screen.grab()
            self._write_pending(last)
            self._writer.append(last, self._decision(last, (Finished(),)), feedback=self._note)
        self._writer.close(Ending(End.FINISHED))


_OVER = Input(What.KEY_UP, 0.0, Point(0, 0))
