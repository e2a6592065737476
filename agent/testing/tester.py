"""Steps of a test in plain language, recorded as an episode."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from actions.guard import Guard, Permission
from actions.receipt import Outcome, Receipt
from actions.space import Action, CallUser, Click, Finished, on_points
from agent.episodes.environment_replay import TOLERANCE, EnvironmentReplay, EnvironmentReport
from agent.episodes.format import End, Ending, Head
from agent.episodes.reader import Episode
from agent.episodes.rules import rules_json
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision, Observation, Policy
from agent.testing.desktop import Desktop
from vision.frame import Frame

WITHIN_SECONDS = 10.0
_PERIOD_SECONDS = 0.2
_SAYS = re.compile(r"""(?:\b(?:says|reads|shows|called|labelled)\s+)["'“]?(.+?)["'”]?$""", re.I)
_QUOTED = re.compile(r"""["“](.+?)["”]""")


class Unmet(AssertionError):
    """A step that could not be done, or an expectation that did not come true.

    Attributes:
        pictures: what the report shows: `before`, `after` and, where there is one, `expected`.
    """

    def __init__(self, message: str, pictures: Mapping[str, Frame]) -> None:
        super().__init__(message)
        self.pictures = dict(pictures)


class Tester:
    """Does and expects things on a desktop; everything becomes an episode.

    Args:
        desktop: where.
        policy: what understands the words and points.
        episode: a new folder for the record.
    """

    __test__ = False  # its name looks like a test's to pytest

    def __init__(self, desktop: Desktop, policy: Policy, episode: Path) -> None:
        self._desktop = desktop
        self._policy = policy
        self._guard = Guard()
        about = policy.describe()
        display = {"box": list(desktop.screen.box)}
        rules = rules_json(self._guard.rules)
        dialect = about.get("dialect", "uitars")
        head = Head(f"test {episode.name}", dialect, display, about, rules=rules)
        self._writer = EpisodeWriter(episode, head)
        self._before: Frame | None = None

    def do(self, instruction: str, within: float = WITHIN_SECONDS) -> Receipt:
        """Let the model do one thing, such as "Click Save"; tried until it sees how.

        Raises:
            Unmet: it does not see how, or its action is refused, till the end.
        """
        __tracebackhide__ = True
        done = self._until(instruction, within, self._act)
        if isinstance(done, str):
            raise Unmet(f"cannot do {instruction!r}: {done}", self._pictures())
        return done

    def expect(self, what: str, within: float = WITHIN_SECONDS) -> None:
        """Wait until the model can point at something, such as "a dialog that says Saved".

        The model is asked to point at the words that are quoted or follow "says", else at the whole
        description, and answers with a place or that there is none. It looks, it does not act.

        Raises:
            Unmet: it sees nothing of the kind till the end.
        """
        __tracebackhide__ = True
        seen = self._until(f'Click on "{wanted(what)}"', within, self._points)
        if isinstance(seen, str):
            raise Unmet(f"expected {what!r}: {seen}", self._pictures())

    def replay(
        self, path: Path | str, patience: float = 5.0, tolerance: float = TOLERANCE
    ) -> EnvironmentReport:
        """Perform a recorded episode here; its screens must match (see `EnvironmentReplay`).

        Raises:
            Unmet: a screen differs, or the replay halted.
        """
        __tracebackhide__ = True
        episode = Episode.open(path)
        desktop = self._desktop
        report = EnvironmentReplay(
            episode, desktop.hands, desktop.screen, patience, tolerance
        ).run()
        if not report.ok:
            passages = report.passages
            wrong = next(p for p in passages if p.halted or p.differs > report.tolerance)
            expected = episode.frame(episode.steps[wrong.step])
            raise Unmet(str(report), {"after": desktop.grab(), "expected": expected})
        return report

    def close(self, passed: bool) -> None:
        """Close the record."""
        self._writer.close(Ending(End.DONE if passed else End.FAILED, reward=float(passed)))

    def _until(
        self, instruction: str, within: float, attempt: Callable[[Frame, Decision], Receipt | str]
    ) -> Receipt | str:
        """What the first attempt that succeeds gives, else why the last one did not."""
        end = time.monotonic() + within
        while True:
            frame = self._desktop.grab()
            decision = self._policy.decide(Observation(instruction, frame))
            result = attempt(frame, decision)
            if not isinstance(result, str) or time.monotonic() > end:
                return result
            time.sleep(_PERIOD_SECONDS)

    def _act(self, frame: Frame, decision: Decision) -> Receipt | str:
        action = _first(decision)
        if isinstance(action, str):
            return action
        self._before = frame
        action = on_points(action, decision.map.to_screen)
        verdict = self._guard.check(action)
        if verdict.permission is not Permission.ALLOW:
            return f"not allowed: {verdict.reason}"
        receipt = self._desktop.hands.perform(action, frame)
        self._writer.append(frame, decision, [action], [receipt])
        if receipt.outcome in (Outcome.REFUSED, Outcome.FAILED):
            return f"{receipt.outcome}: {receipt.message}"
        return receipt

    def _points(self, frame: Frame, decision: Decision) -> Receipt | str:
        action = _first(decision)
        if isinstance(action, Click):
            place = on_points(action, decision.map.to_screen)
            return Receipt(place, Outcome.NO_VISIBLE_EFFECT, "looked at")
        return action if isinstance(action, str) else "the model does not point at it"

    def _pictures(self) -> dict[str, Frame]:
        before = {"before": self._before} if self._before is not None else {}
        return {**before, "after": self._desktop.grab()}


def wanted(what: str) -> str:
    """The words to look for: what is quoted, what follows "says", else all of it."""
    match = _QUOTED.search(what) or _SAYS.search(what)
    return match[1] if match else what


def _first(decision: Decision) -> Action | str:
    """The first action, or why there is none."""
    if decision.step is None:
        return f"the model's answer could not be read: {decision.error}"
    action = decision.step.actions[0]
    if isinstance(action, CallUser | Finished):
        return "the model does not see it"
    return action
