"""The JSON Schema of the format, made from its types: `python -m agent.episodes.schema`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from agent.episodes.format import Ending, Head, Json, StepRecord


@dataclass(frozen=True)
class Manifest:
    """`manifest.json`."""

    format: str
    version: str
    head: Head
    outcome: Ending | None
    sha256: str


def schema() -> Json:
    """One document whose definitions are `Manifest` and `StepRecord` and what they are made of."""
    parts = [
        ("m", "validation", TypeAdapter(Manifest)),
        ("s", "validation", TypeAdapter(StepRecord)),
    ]
    _, made = TypeAdapter.json_schemas(parts, title="Eyehand episode")  # type: ignore[arg-type]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_bare(made)}


def _bare(value: Any) -> Any:
    """Without the titles and descriptions that come from names and docstrings."""
    if isinstance(value, dict):
        noise = {"description"} | ({"title"} if isinstance(value.get("title"), str) else set())
        return {key: _bare(item) for key, item in value.items() if key not in noise}
    return [_bare(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1) + "\n")
