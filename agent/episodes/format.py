"""The episode format, specified in `docs/episode-format.md`: records, and how they become bytes.

    EPISODE/
      manifest.json      what was asked, of whom, on which display; how it ended
      steps.jsonl        one line per step, append-only, each carrying the hash of the line before
      images/            the screenshots, lossless PNG, named by `Frame.digest`, written once
      .lock              held by the writer while it lives

Records are frozen dataclasses. Actions inside them are the dictionaries of `actions.codec`.
"""

from __future__ import annotations

import json
import platform
import re
import time
import uuid
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from importlib import metadata
from typing import Any

from agent.policies.base import Timing, Usage
from vision.geometry import Box, CoordinateMap, Point, Size

FORMAT = "eyehand-episode"
Version = tuple[int, int]
"""Major and minor."""

VERSION: Version = (1, 1)
MANIFEST = "manifest.json"
STEPS = "steps.jsonl"
IMAGES = "images"
LOCK = ".lock"

Json = dict[str, Any]
"""A JSON object; its values are whatever JSON holds."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_SEAL_LENGTH = 77
_PACKAGES = ("eyehand", "numpy", "pillow", "torch", "transformers")


class End(StrEnum):
    """Why an episode ended."""

    FINISHED = "finished"
    """The policy said that the task is done."""
    CALL_USER = "call_user"
    """The policy asked for its user."""
    DONE = "done"
    """The environment said that the task is over."""
    TRUNCATED = "truncated"
    """We stopped it: too many steps or too much time."""
    STOPPED = "stopped"
    """A person stopped it."""
    FAILED = "failed"
    """An error ended it."""
    FORKED = "forked"
    """It is the beginning of another episode, cut off to go on from there."""


@dataclass(frozen=True)
class Ending:
    """How an episode ended.

    Attributes:
        end: one of `End`; a newer writer may know more, so it is read as plain text.
        message: the answer, the question or the error; empty when there is none.
        reward: what the environment said, None when nothing judged the run.
    """

    end: str
    message: str = ""
    reward: float | None = None


def software() -> dict[str, str]:
    """Versions of what can change an agent's behaviour; nothing is imported to find them."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Head:
    """What is known before the first step; it never changes, and the chain of steps starts with it.

    Attributes:
        instruction: the task in the user's words.
        dialect: which dialect of `actions.dialects` the policy writes.
        display: how the screen was set up (size, monitors, scale), as the environment describes it.
        policy: what `Policy.describe` said: name, version, weight hash, sampling.
        software: versions of Python, the platform and the packages that matter.
        created: seconds since the epoch.
        id: unique name of this recording.
        parent: id and step of the episode that this one was forked from, None for an original.
        source: who acted: `agent`, or `human` in a recording of a person.
        rules: the guard's, as `agent.episodes.rules` writes them; None when they were not kept.
    """

    instruction: str
    dialect: str = "uitars"
    display: Json = field(default_factory=dict)
    policy: dict[str, str] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=software)
    created: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    parent: Json | None = None
    source: str = "agent"
    rules: tuple[Json, ...] | None = None


@dataclass(frozen=True)
class FrameRecord:
    """The screenshot of a step.

    Attributes:
        digest: `Frame.digest` of the pixels; names the picture's file.
        file: SHA-256 (hex) of that file's bytes.
        size: width and height of the picture in pixels.
        box: the captured rectangle in signed screen pixels.
        time: seconds since the epoch.
        cursor: the pointer's hot spot in screen pixels, None when it was not known.
        base: digest of the key picture that the file is a difference to, None for a whole picture.
    """

    digest: str
    file: str
    size: tuple[int, int]
    box: Box
    time: float = 0.0
    cursor: Point | None = None
    base: str | None = None

    def __post_init__(self) -> None:
        """The digest becomes part of a path, so it is nothing but a digest."""
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"expected 64 hex digits, actually: {self.digest!r}")


@dataclass(frozen=True)
class MapRecord:
    """The fields of the `CoordinateMap` that the policy's decision came with."""

    screen: Box
    image: Size
    extent: Size

    def restore(self) -> CoordinateMap:
        """The same map again."""
        return CoordinateMap(self.screen, self.image, self.extent)


@dataclass(frozen=True)
class ReceiptRecord:
    """One `actions.receipt.Receipt`, and the primitive events that its action amounts to.

    Attributes:
        action: in screen pixels.
        outcome: a value of `actions.receipt.Outcome`.
        message: one sentence, empty when there is nothing to add.
        act_ms: time spent sending events, milliseconds.
        settle_ms: time waited for the screen to be still afterwards, milliseconds.
        crop: SHA-256 (hex) of the pixels around the target before the action, None without one.
        events: as `agent.episodes.rehearsal` writes them, None when the action was not performed.
    """

    action: Json
    outcome: str
    message: str = ""
    act_ms: float = 0.0
    settle_ms: float = 0.0
    crop: str | None = None
    events: tuple[str, ...] | None = None


@dataclass(frozen=True)
class StepRecord:
    """One step: what was seen, decided and done.

    Attributes:
        index: position in the episode, from 0.
        time: when the step was recorded, seconds since the epoch.
        frame: the screenshot that the decision was made from.
        text: the model's words, verbatim (except for what was withheld).
        thought: the thought in it, empty when it did not parse.
        actions: the parsed actions in model space, empty when the text did not parse.
        map: model space to screen.
        screen_actions: the actions in screen pixels, as they were handed to the executor.
        receipts: what became of each of them, in order.
        error: why the text did not parse, None when it did.
        confidence: 0..1, None when the policy cannot tell.
        usage: token counts.
        timing: milliseconds of the decision.
        withheld: how many texts in this record had something secret taken out.
        feedback: what the model was told about this step before its next one.
    """

    index: int
    time: float
    frame: FrameRecord
    text: str
    thought: str
    actions: tuple[Json, ...]
    map: MapRecord
    screen_actions: tuple[Json, ...]
    receipts: tuple[ReceiptRecord, ...]
    error: str | None = None
    confidence: float | None = None
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    withheld: int = 0
    feedback: str = ""


def to_json(record: Head | Ending | StepRecord) -> Json:
    """A record as a JSON object; points, boxes and sizes become arrays."""
    return asdict(record)


def dump(value: Json) -> bytes:
    """Compact JSON in UTF-8, without a line break; refuses NaN and infinity.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return sha256(data).hexdigest()


def seal_line(step: Json, previous: str) -> tuple[bytes, str]:
    """A step as its line of `steps.jsonl`, and the hash that the next line will carry.

    The line's last member `sha256` is the hash of the same object without that member.
    """
    body = dump({"prev": previous, **step})
    seal = digest(body)
    return body[:-1] + f',"sha256":"{seal}"}}\n'.encode(), seal


def open_line(line: bytes, previous: str) -> tuple[Json, str]:
    """Check one line (without its line break) against the one before; the inverse of `seal_line`.

    Raises:
        ValueError: the line is not as it was written; the message says in what way.
    """
    match = _SEAL.fullmatch(line[-_SEAL_LENGTH:])
    if match is None:
        raise ValueError("it does not end with its own hash")
    body, seal = line[:-_SEAL_LENGTH] + b"}", match[1].decode()
    if digest(body) != seal:
        raise ValueError(f"its bytes do not have the hash {seal[:12]}… that it ends with")
    step: Json = json.loads(body)
    found = step.pop("prev", None)
    if found != previous:
        raise ValueError(f"it follows a line {str(found)[:12]}…, not {previous[:12]}…")
    return step, seal


def new_manifest(head: Json) -> Json:
    """The manifest of an episode that has just begun; `outcome` is null until it is closed."""
    version = ".".join(map(str, VERSION))
    return {"format": FORMAT, "version": version, "head": head, "outcome": None}


def seal_manifest(manifest: Json) -> bytes:
    """The bytes of `manifest.json`: indented for people, its last member is its own hash."""
    sealed = manifest | {"sha256": digest(dump(manifest))}
    return (json.dumps(sealed, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def open_manifest(data: bytes) -> Json:
    """The manifest without its hash; the inverse of `seal_manifest`.

    Raises:
        ValueError: these are not the bytes that `seal_manifest` wrote.
    """
    manifest = json.loads(data)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f'it is no JSON object with "format": "{FORMAT}"')
    manifest.pop("sha256", None)
    if seal_manifest(manifest) != data:
        raise ValueError("its bytes do not have the hash that it ends with")
    return manifest


def genesis(head: Json) -> str:
    """The hash that the first step carries: that of the manifest's immutable head."""
    return digest(dump(head))
