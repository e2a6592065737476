"""The specification says what the code does."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agent.episodes.format import VERSION, End, FrameRecord, Head, ReceiptRecord, StepRecord
from agent.episodes.schema import schema

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "episode-format.md").read_text()
LOGIN = Path(__file__).parents[1] / "data/episodes/login"


def test_the_schema_is_the_one_of_the_code() -> None:
    assert json.loads((DOCS / "episode.schema.json").read_text()) == schema()


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema() | {"$ref": f"#/$defs/{name}"})


def test_a_real_episode_fits_the_schema_and_a_wrong_one_does_not() -> None:
    Draft202012Validator.check_schema(schema())
    manifest = json.loads((LOGIN / "manifest.json").read_text())
    validator("Manifest").validate(manifest)
    steps = [json.loads(line) for line in (LOGIN / "steps.jsonl").read_text().splitlines()]
    for step in steps:
        validator("StepRecord").validate(step)
    assert not validator("StepRecord").is_valid(steps[0] | {"text": 5})
    assert not validator("Manifest").is_valid(manifest | {"head": {}})


@pytest.mark.parametrize("record", [Head, StepRecord, FrameRecord, ReceiptRecord])
def test_every_member_is_explained(record: type) -> None:
    for member in fields(record):
        assert f"`{member.name}`" in TEXT, member.name


def test_every_end_and_the_version_are_named() -> None:
    assert all(f"`{end}`" in TEXT for end in End)
    assert f"# The episode format, version {'.'.join(map(str, VERSION))}\n" in TEXT
