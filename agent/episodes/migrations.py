"""Reading what older versions wrote: one numbered function per version that changed the meaning.

Migrations change what was read, never what is on the disk: hashes are checked before, on the bytes
as they were written. What a migration need not fill in has a default in the record's type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.episodes.format import Json, Version


@dataclass(frozen=True)
class Migration:
    """From any earlier version to this one: the manifest's head, and each step."""

    version: Version
    head: Callable[[Json], Json]
    step: Callable[[Json], Json]


def _told(step: Json) -> Json:
    """1.0 did not keep what the model was told about a step; most of it follows from the rest.

    Lost are the loop's own remarks: a point outside the picture, and "you chose this 3 times".
    """
    trouble = [
        f"{_class_name(receipt['action']['type'])}: {receipt['outcome'].replace('_', ' ')}. "
        f"{receipt.get('message', '')}".strip()
        for receipt in step["receipts"]
        if receipt["outcome"] != "confirmed"
    ]
    if step.get("error") is not None:
        trouble.append(f"Your answer could not be read: {step['error']}")
    return step | {"feedback": "\n".join(trouble)}


def _class_name(kind: str) -> str:
    return kind.title().replace("_", "")


MIGRATIONS = (Migration((1, 1), lambda head: head | {"source": "agent", "rules": None}, _told),)
"""In the order of their versions."""


def migrate(
    part: Literal["head", "step"],
    value: Json,
    version: Version,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> Json:
    """Bring a head or a step from the version that wrote it to the newest, one after the other."""
    for migration in migrations:
        if version < migration.version:
            value = getattr(migration, part)(value)
    return value
