"""Run by test_serve.py in a process of its own: `serve` with a policy that takes its time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy
from server.app import serve
from server.backend import Backend, PolicyChat
from server.settings import Settings, SettingsError


class SlowPolicy(ScriptedPolicy):
    """Decides a while after it has touched a file."""

    def __init__(self, started: Path) -> None:
        super().__init__(["Thought: done\nAction: finished()"] * 100)
        self._started = started

    def decide(self, observation: Observation) -> Decision:
        self._started.touch()
        time.sleep(0.5)
        return super().decide(observation)


if __name__ == "__main__":
    policy = SlowPolicy(Path(sys.argv[1]))
    try:
        serve(Backend("slow", policy, PolicyChat(policy, 4096)), Settings(port=0))
    except SettingsError as error:
        sys.exit(str(error))
