"""Reading what older versions wrote: one numbered function per change of the major version.

Migrations change what was read, never what is on the disk: hashes are checked before, on the bytes
as they were written. Within a major version nothing needs one: a reader ignores members that it
does not know, and a member that came with a later minor version has a default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.episodes.format import VERSION, Json


@dataclass(frozen=True)
class Migration:
    """From one major version to the next: the manifest's head, and each step."""

    head: Callable[[Json], Json]
    step: Callable[[Json], Json]


MIGRATIONS: Mapping[int, Migration] = {}
"""By the major version that they start from; version 1 is the first, so there is none yet."""


def migrate(
    part: Literal["head", "step"],
    value: Json,
    major: int,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    target: int = VERSION[0],
) -> Json:
    """Bring a head or a step from a major version to the target, one version at a time.

    Raises:
        KeyError: no migration starts from one of the versions on the way.
    """
    for version in range(major, target):
        value = getattr(migrations[version], part)(value)
    return value
