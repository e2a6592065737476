"""Keeping memory that was freed, for a process that will ask for as much again at its next step.

glibc maps every large block anew and unmaps it when it is freed, so each training step touches its
gigabytes of activations for the first time: a third of the time went into page faults
(docs/experiments.md).
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # malloc.h


def keep_memory() -> bool:
    """Tell the C library to give nothing back; whether it is one that listens (glibc)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # One arena: the backward pass runs on a thread of its own and would fill a second one.
    wanted = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _ARENA_MAX: 1}
    return all(mallopt(option, value) for option, value in wanted.items())
