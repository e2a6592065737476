"""A policy as the command line names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.policies.base import Decision, Observation, Policy


@dataclass(frozen=True)
class NamedPolicy(Policy):
    """Only words, so that it can be sent to other machines; opened there, once per process.

    Attributes:
        model: a checkpoint folder; None: the embedded model.
        endpoint: an OpenAI-compatible server in place of a model; None: none. Its key is read from
            the environment variable EYEHAND_API_KEY where it is opened.
        profile: what the served model expects; None: to be found by its name.
        device: where a local model runs.
    """

    model: Path | None = None
    endpoint: str | None = None
    profile: str | None = None
    device: str = "cpu"

    def open(self) -> Policy:
        """The policy itself, to be closed by the caller.

        Raises:
            PolicyError: it cannot be had.
            ValueError: there is no such profile.
        """
        if self.endpoint is None:
            from agent.policies.local import local_policy

            return local_policy(self.model, self.device)
        from agent.policies.openai import OpenAIPolicy
        from agent.policies.profiles import profile_named

        chosen = profile_named(self.profile) if self.profile is not None else None
        return OpenAIPolicy(self.endpoint, profile=chosen, api_key=api_key())

    def decide(self, observation: Observation) -> Decision:
        """What the policy decides."""
        return _opened(self).decide(observation)

    def describe(self) -> dict[str, str]:
        """What the policy says of itself."""
        return _opened(self).describe()


def api_key() -> str:
    """The key for an endpoint, from the environment."""
    return os.environ.get("EYEHAND_API_KEY") or "none"


@cache
def _opened(named: NamedPolicy) -> Policy:
    return named.open()
