"""Memory that is kept, told by the page faults of a process of its own."""

from __future__ import annotations

import subprocess
import sys

FAULTS = """
import resource
import sys
import torch
from agent.learning.allocator import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
def work():
    for _ in range(10):
        torch.ones(8 << 20)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_kept_memory_is_not_faulted_in_again() -> None:
    assert faults("keep") * 10 < faults("leave")
