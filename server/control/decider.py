"""The server's model as the policy of a session, told about while it decides."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, wait
from dataclasses import replace
from typing import Any

from actions.codec import to_dict
from actions.space import Action, on_points
from agent.episodes.format import End
from agent.episodes.view import describe
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.run import RunEnded
from server.control.hub import Hub
from server.errors import ApiError
from server.queue import ModelQueue, Ticket
from vision.geometry import GeometryError

_LOOK_SECONDS = 0.02
_FULL_SECONDS = 0.25


class SessionPolicy(Policy):
    """Decides in the line in front of the model; watchers hear of a decision before it is acted on.

    Args:
        policy: what decides; stays open.
        queue: the line.
        hub: where watchers listen.
        stopped: set when the run shall end; a decision is not waited for then.
    """

    def __init__(
        self, policy: Policy, queue: ModelQueue, hub: Hub, stopped: threading.Event
    ) -> None:
        self._policy = policy
        self._queue = queue
        self._hub = hub
        self._stopped = stopped

    def decide(self, observation: Observation) -> Decision:
        """Look and decide, as soon as it is this session's turn.

        Raises:
            RunEnded: the run was stopped meanwhile.
            PolicyError: no decision can be had.
        """
        number = len(observation.history) + 1
        self._hub.publish("thinking", keep=False, step=number)
        decision = self._outcome(self._enter(observation))
        self._hub.publish(
            "decided",
            step=number,
            thought=decision.step.thought if decision.step else "",
            text=decision.text,
            error=decision.error,
            actions=[told(action) for action in _on_screen(decision)],
        )
        return decision

    def describe(self) -> dict[str, str]:
        """As the policy."""
        return self._policy.describe()

    def _enter(self, observation: Observation) -> Ticket[Decision]:
        while True:
            try:
                return self._queue.enter(
                    lambda ticket: self._policy.decide(replace(observation, check=ticket.check))
                )
            except ApiError:  # the line is full; a session has time
                if self._stopped.wait(_FULL_SECONDS):
                    raise _stopped() from None

    def _outcome(self, ticket: Ticket[Decision]) -> Decision:
        while not wait([ticket.future], _LOOK_SECONDS).done:
            if self._stopped.is_set():
                ticket.leave()
                raise _stopped()
        try:
            return ticket.future.result()
        except CancelledError as error:
            raise PolicyError("the server is shutting down; run the task again") from error


def told(action: Action) -> dict[str, Any]:
    """An action in screen pixels as watchers see it: in words, and as JSON."""
    plain = to_dict(action)
    return {"what": describe(plain), "action": plain}


def _on_screen(decision: Decision) -> list[Action]:
    """Its actions in screen pixels; none when one points outside, which the loop refuses."""
    try:
        actions = decision.step.actions if decision.step else ()
        return [on_points(action, decision.map.to_screen) for action in actions]
    except GeometryError:
        return []


def _stopped() -> RunEnded:
    return RunEnded(End.STOPPED, "stopped by its user")
