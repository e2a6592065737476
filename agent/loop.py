"""The agent: observe -> decide -> guard -> act -> record, step by step until the run is over.

`Agent.run` reads from top to bottom, and the core of `Agent.step` is one line. Whatever is out of
the ordinary is an exception that carries what there is to tell:

    RunEnded     the run is over: finished, stopped, too many steps ...; carries the ending
    Unfit        a decision cannot be carried out; carries what the model is told before the next
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from actions.backends.base import BackendError
from actions.executor import Executor, Stopped
from actions.guard import Guard
from actions.receipt import Outcome, Receipt
from actions.space import Action, CallUser, Finished, on_points
from agent.draft import Draft
from agent.episodes.errors import EpisodeError
from agent.episodes.format import End, Ending
from agent.episodes.writer import EpisodeWriter
from agent.hands import GuardedHands, Vault
from agent.policies.base import Decision, Observation, Policy, PolicyError, Turn
from agent.repetition import Repetition
from agent.run import (
    Consent,
    Listener,
    Patience,
    RunEnded,
    RunResult,
    Silent,
    Task,
    Unfit,
    nobody,
)
from vision.capture import CaptureError, Eyes
from vision.geometry import GeometryError

PICTURES = 16
"""So many of the latest screenshots stay in memory; no profile shows a model more of them."""


PAUSE_SECONDS = 0.1
"""While a person is at work, it is asked so often whether they are done."""


class Agent:
    """Works on one task with one policy, one screen, one pair of hands and one record.

    Args:
        policy: what decides.
        executor: the hands.
        eyes: the screen that policy and hands share.
        recorder: where every step is written.
        listener: is told how it goes; None means nobody.
        patience: how much the model is forgiven.
        guard: what may run, judged in screen pixels; None means the default rules.
        consent: asked where a rule wants a human to agree.
        vault: the secrets that may be typed; None means that there are none.

    Policy and eyes stay the caller's to close; when the run is over the executor is stopped and the
    record closed, so an agent runs once. Not thread-safe, except `stop`.
    """

    def __init__(
        self,
        policy: Policy,
        executor: Executor,
        eyes: Eyes,
        recorder: EpisodeWriter,
        listener: Listener | None = None,
        patience: Patience | None = None,
        guard: Guard | None = None,
        consent: Consent = nobody,
        vault: Vault | None = None,
    ) -> None:
        self._policy = policy
        self._hands = GuardedHands(executor, guard or Guard(), self._leaving(consent), vault)
        self._eyes = eyes
        self._recorder = recorder
        self._listener = listener or Silent()
        self._patience = patience or Patience()
        self._task = Task("")
        self._history: list[Turn] = []
        self._draft: Draft | None = None
        self._repetition = Repetition()
        self._unfit = 0
        self._stopped = threading.Event()
        self._waiting = False

    def run(self, task: Task) -> RunResult:
        """Work until the task is over, and say why it is.

        Errors of the screen, the policy and the record end the run as `FAILED`; others are passed
        on. In either case what was recorded stays readable and nothing stays pressed.
        """
        self._task = task
        self._listener.started(task.instruction)
        try:
            while True:
                self.step()
        except RunEnded as ended:
            end = ended
        except (PolicyError, BackendError, CaptureError, EpisodeError) as error:
            end = RunEnded(End.FAILED, str(error))
        except BaseException as error:
            kind = End.FAILED if isinstance(error, Exception) else End.STOPPED
            self._finish(RunEnded(kind, f"{type(error).__name__}: {error}"))
            raise
        return self._finish(end)

    def step(self) -> None:
        """One step; it is handed to the record before the next one begins, whatever happens in it.

        Raises:
            RunEnded: this was the last step.
        """
        try:
            self.act(self.decide(self.observe()))
            self._unfit = 0
        except Unfit as unfit:
            self._forgive(str(unfit))
        finally:
            self.record()

    def observe(self) -> Observation:
        """Look, unless the run is over; while a person is at work, wait until they are done.

        Raises:
            RunEnded: stopped, done, or too many steps.
        """
        self._check()
        self._await_person()
        if len(self._history) >= self._task.max_steps:
            raise RunEnded(End.TRUNCATED, f"not done after {self._task.max_steps} steps")
        self._draft = Draft(self._eyes.grab())
        return Observation(self._task.instruction, self._draft.frame, tuple(self._history))

    def decide(self, observation: Observation) -> Decision:
        """Ask the policy.

        Raises:
            Unfit: the answer could not be read.
            RunEnded: the agent goes in circles.
        """
        with self._leavable():
            decision = self._policy.decide(observation)
        self._now.decision = decision
        if decision.step is None:
            raise Unfit(f"Your answer could not be read: {decision.error}")
        self._watch_for_circles(decision.step.actions)
        return decision

    def act(self, decision: Decision) -> None:
        """Carry out the decision, action by action, as long as each one goes through.

        The step before is on the disk by then, so an effect never outlives its record.

        Raises:
            Unfit: a point is outside the model's coordinates.
            RunEnded: the last action ends the run, or the environment does.
        """
        assert decision.step is not None, "decide() lets only readable decisions through"
        self._recorder.wait()
        for action in decision.step.actions:
            self._check()
            match action:
                case Finished(text):
                    raise RunEnded(End.FINISHED, text)
                case CallUser(text):
                    raise RunEnded(End.CALL_USER, text)
            receipt = self._perform(_on_screen(action, decision))
            if receipt.outcome in (Outcome.REFUSED, Outcome.FAILED):
                return
        self._check()

    def record(self) -> None:
        """Hand the step to the recorder; a step without a decision leaves nothing to record."""
        draft, self._draft = self._draft, None
        if draft is None or draft.decision is None:
            return
        report = draft.report(len(self._history) + 1, draft.decision)
        self._recorder.append(
            draft.frame, draft.decision, draft.actions, draft.receipts, draft.feedback
        )
        self._history.append(draft.turn(draft.decision))
        if len(self._history) > PICTURES:
            old = len(self._history) - PICTURES - 1
            self._history[old] = replace(self._history[old], frame=None)
        self._listener.stepped(report)

    def stop(self) -> None:
        """End the run before its next action and release everything now. Any thread; repeatable."""
        self._stopped.set()
        self._hands.stop("stopped by its user")

    def interrupt(self) -> None:
        """`stop` for a signal handler in the thread of the run; does not wait for an answer.

        Raises:
            RunEnded: the policy or a person was being asked; the run leaves them at once.
        """
        # Not in this thread: it may hold the very lock that releasing needs.
        threading.Thread(target=self.stop, name="stop").start()
        if self._waiting:
            raise _stopped()

    @contextmanager
    def _leavable(self) -> Iterator[None]:
        """Somebody is asked inside; `interrupt` may leave it, for nothing is being done."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def _leaving(self, consent: Consent) -> Consent:
        """The same consent, which `interrupt` may leave; who gives it may sit at this display."""

        def ask(action: Action, reason: str) -> bool:
            with self._leavable():
                agreed = consent(action, reason)
            self._await_person()
            return agreed

        return ask

    def _await_person(self) -> None:
        """Wait until nobody uses mouse and keyboard."""
        while self._hands.paused:
            self._stopped.wait(PAUSE_SECONDS)
            self._check()

    @property
    def _now(self) -> Draft:
        assert self._draft is not None, "observe() begins a step"
        return self._draft

    def _check(self) -> None:
        """Leave the run when somebody stopped it or the environment is done."""
        if self._stopped.is_set():
            raise _stopped()
        if self._task.done():
            raise RunEnded(End.DONE)

    def _perform(self, action: Action) -> Receipt:
        """One action in screen pixels; the picture of the step only holds for the first one."""
        seen = None if self._now.actions else self._now.frame
        self._now.actions.append(action)
        try:
            receipt = self._hands.perform(action, seen)
        except Stopped as stopped:
            self._now.receipts.append(stopped.receipt)
            raise RunEnded(End.STOPPED, str(stopped)) from stopped
        except RunEnded as ended:  # while a person was asked about it
            self._now.receipts.append(Receipt(action, Outcome.REFUSED, ended.message))
            raise
        self._now.receipts.append(receipt)
        return receipt

    def _watch_for_circles(self, actions: tuple[Action, ...]) -> None:
        times = self._repetition.count(self._now.frame, actions)
        if times >= self._patience.stuck:
            raise RunEnded(End.FAILED, f"stuck: the same action {times} times in vain")
        if times >= self._patience.warn:
            self._now.notes.append(
                f"You chose this {times} times on the same screen. Do something else."
            )

    def _forgive(self, why: str) -> None:
        """Tell the model what was wrong, but not for ever."""
        self._now.notes.append(why)
        self._unfit += 1
        if self._unfit >= self._patience.unfit:
            raise RunEnded(End.FAILED, f"{self._unfit} unusable answers in a row: {why}")

    def _finish(self, end: RunEnded) -> RunResult:
        """Release everything and close the record, whatever else fails meanwhile."""
        self._hands.stop("the run is over")
        outcome, message, reward = end.outcome, end.message, None
        try:
            with self._recorder:  # closes it even when the reward cannot be had
                reward = self._task.reward()
                self._recorder.close(Ending(outcome, message, reward))
        except EpisodeError as error:
            outcome, message = End.FAILED, str(error)
        result = RunResult(outcome, len(self._history), message, reward)
        self._listener.ended(result)
        return result


def _stopped() -> RunEnded:
    return RunEnded(End.STOPPED, "stopped by its user")


def _on_screen(action: Action, decision: Decision) -> Action:
    """The action in screen pixels."""
    try:
        return on_points(action, decision.map.to_screen)
    except GeometryError as error:
        raise Unfit(f"{error}; give coordinates inside the picture") from error
