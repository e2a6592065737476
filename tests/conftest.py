"""Fixtures that every room may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from agent.environments.display import VirtualDisplay

# A busy machine is no reason to fail.
settings.register_profile("eyehand", deadline=None)
settings.load_profile("eyehand")


@pytest.fixture(scope="session")
def display() -> Iterator[VirtualDisplay]:
    """A real X display of 640x480 with a window manager, shared by the whole session."""
    with VirtualDisplay() as shared:
        yield shared
