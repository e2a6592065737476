"""The specification says what the code does."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agent.episodes.format import VERSION, End, FrameRecord, Head, ReceiptRecord, StepRecord

TEXT = (Path(__file__).parents[2] / "docs" / "episode-format.md").read_text()


def bare(schema: Any) -> Any:
    """A schema without the titles and descriptions that pydantic takes from names and docs."""
    if isinstance(schema, dict):
        said = {key: bare(value) for key, value in schema.items() if key != "description"}
        return {
            key: value
            for key, value in said.items()
            if not isinstance(value, str) or key != "title"
        }
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def test_the_schema_is_the_one_of_the_code() -> None:
    printed = json.loads(TEXT.split("```json\n")[1].split("```")[0])
    assert printed.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert printed == bare(TypeAdapter(StepRecord).json_schema())


def test_every_member_is_explained() -> None:
    for record in (Head, StepRecord, FrameRecord, ReceiptRecord):
        for member in fields(record):
            assert f"`{member.name}`" in TEXT, (record.__name__, member.name)
    assert all(f"`{end}`" in TEXT for end in End)
    assert f"# The episode format, version {'.'.join(map(str, VERSION))}\n" in TEXT
