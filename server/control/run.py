"""One task of a session: an agent at work on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actions.codec import CLASSES
from actions.guard import DEFAULT_RULES, Guard, Permission, Rule
from actions.secrets import SecretStore
from actions.space import Action
from agent.episodes.format import End
from agent.policies.base import Policy
from agent.run import RunResult, StepReport, Task
from agent.session import agent_for
from server.control.approvals import Approvals
from server.control.bystander import Bystander
from server.control.decider import SessionPolicy, told
from server.control.desk import Desk
from server.control.gate import Gate, GatedBackend, GatedEyes
from server.control.hub import Hub
from server.queue import ModelQueue

log = logging.getLogger("server.control")

_EVERY = Rule(Permission.ASK, "every action is asked about", kinds=frozenset(CLASSES))


@dataclass(frozen=True)
class Model:
    """What decides for all sessions.

    Attributes:
        policy: used only by jobs in `queue`.
        queue: the line in front of it.
        secrets: what it may name, and only the keyboard gets to know.
    """

    policy: Policy
    queue: ModelQueue
    secrets: SecretStore


class Run:
    """An agent that works on one task. Any thread may call anything.

    Args:
        task: what to do.
        desk: where.
        model: who decides.
        folder: a new folder for the record.
        hub: where watchers listen.
        supervised: ask a person before every action.
        changed: is told whenever what can be seen of the run has changed.
        came: is told that somebody uses the display's own mouse or keyboard; it shuts the gate.
        over: is told once, when the run has ended and everything is released.

    Raises:
        EpisodeError: the record cannot be begun.
        BackendError: the display is gone.
        CaptureError: the display is gone.
    """

    def __init__(
        self,
        task: Task,
        desk: Desk,
        model: Model,
        folder: Path,
        hub: Hub,
        supervised: bool,
        changed: Callable[[], None],
        came: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        self.task = task
        self.folder = folder
        self.supervised = supervised
        self.steps = 0
        self.gate = Gate(changed)
        self.approvals = Approvals(changed)
        self._hub = hub
        self._over = over
        self._stopped = threading.Event()
        policy = SessionPolicy(model.policy, model.queue, hub, self._stopped)
        self._agent = agent_for(
            task,
            policy,
            desk.screen,
            GatedBackend(desk.backend, self.gate),
            folder,
            listener=self,
            attended=desk.attended,
            guard=Guard((*DEFAULT_RULES, _EVERY)),
            consent=self._consent,
            secrets=model.secrets,
            seat=desk.seat,
            human=Bystander(desk, self.gate, came),
            look=lambda eyes: GatedEyes(eyes, self.gate),
        )
        self._thread = threading.Thread(target=self._work, name="session")

    @property
    def stopping(self) -> bool:
        """Whether the run was told to end."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Release everything now, and end. Safe to repeat."""
        self._stopped.set()
        self._agent.stop()
        self.gate.stop()
        self.approvals.withdraw()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def started(self, instruction: str) -> None:
        """Tell watchers that it begins."""
        self._hub.publish("started", instruction=instruction)

    def stepped(self, step: StepReport) -> None:
        """Tell watchers what became of a step."""
        self.steps = step.number
        receipts = [
            {**told(each.action), "outcome": each.outcome, "message": each.message,
             "act_ms": each.act_ms, "settle_ms": each.settle_ms}
            for each in step.receipts
        ]  # fmt: skip
        self._hub.publish(
            "stepped",
            step=step.number,
            receipts=receipts,
            feedback=step.feedback,
            total_ms=step.total_ms,
        )

    def ended(self, result: RunResult) -> None:
        """Tell watchers how it went."""
        self._hub.publish(
            "ended", outcome=result.outcome, steps=result.steps, message=result.message
        )

    def _work(self) -> None:
        try:
            self._agent.run(self.task)
        except Exception as error:  # a bug; the episode is closed, the message may quote a user
            log.error("%s ended a session's run", type(error).__name__)
            failed = f"{type(error).__name__}; the server's log says where"
            self._hub.publish("ended", outcome=End.FAILED, steps=self.steps, message=failed)
        finally:
            self._over()

    def _consent(self, action: Action, reason: str) -> bool:
        """Hold an action back while the session is paused, and ask where that is wanted."""
        self.gate.act()
        self._hub.publish("acting", keep=False, **told(action))
        if self._stopped.is_set() or (reason == _EVERY.reason and not self.supervised):
            return True  # an executor that was stopped refuses by itself
        agreed = self.approvals.ask(action, reason)
        self.gate.act()
        return agreed or self._stopped.is_set()
