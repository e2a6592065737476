"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return what the C library has free between blocks that are in use, where it can (glibc).

    Blocks of changing size leave holes, which added up while 4-bit weights were reordered.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
