"""Run by test_control_ends.py in a process of its own: `serve` with a policy that drags on."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.policies.scripted import ScriptedPolicy
from server.app import serve
from server.backend import Backend, PolicyChat
from server.settings import ControlSettings, Settings

if __name__ == "__main__":
    drags = [f"Action: drag(start_box='({n},100)', end_box='(900,900)')" for n in range(900)]
    policy = ScriptedPolicy(drags)
    settings = Settings(port=0, control=ControlSettings(Path(sys.argv[1])))
    serve(Backend("drags", policy, PolicyChat(policy, 4096)), settings)
