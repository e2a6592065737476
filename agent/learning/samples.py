"""What training sees: a picture, questions with their answers, and where every character is.

A shard is one `.npz` file of equal-size samples, never pickled:

- `pixels` (n, height, width, 3) uint8,
- `centers` (characters of all samples, 2) float32, in sample order,
- `labels` UTF-8 JSON as uint8: a list of {"chars", "questions"},
- `sha256` the digest of the three, as 32 uint8: content that was damaged is never trained on.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from actions.codec import CodecError, from_dict, to_dict
from actions.space import Action
from vision.frame import Pixels
from vision.geometry import Box

Centers = npt.NDArray[np.float32]

# What a damaged archive can trip over: its format, its numbers, or its own checksums.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
)


Takes = Literal["text", "icon", "look", "relation", "typing", "absent"]
"""What it takes to answer: to read a label, to know an icon, a shape or colour, to see what is next
to what or the how many-th, to type, or to notice that nothing fits.
"""


class ShardError(ValueError):
    """A shard cannot be written or read; the message names the file and the fix."""


@dataclass(frozen=True)
class Question:
    """An instruction and the right answer to it.

    Attributes:
        instruction: what the user wants, as plain text.
        action: the right action, its points in screenshot pixels. `CallUser()` when the target is
            absent, `Finished()` when there is nothing left to do.
        box: every pixel that counts as hitting the target, None when nothing is pointed at.
        done: actions taken before, oldest first, each with a visible effect; in screenshot pixels.
        takes: what it takes to answer; None where that was not noted.
        also: targets whose middle would be as right, as of several boxes that have to be ticked.
        end: every pixel that counts as hitting the end of a drag; None: only the very one.
    """

    instruction: str
    action: Action
    box: Box | None = None
    done: tuple[Action, ...] = ()
    takes: Takes | None = None
    also: tuple[Box, ...] = ()
    end: Box | None = None


@dataclass(frozen=True, eq=False)
class Glyphs:
    """The visible characters of a picture.

    Attributes:
        chars: one character per glyph, printable ASCII without white space, in document order.
        centers: (n, 2) float32, the (x, y) of each glyph's centre in screenshot pixels.
    """

    chars: str
    centers: Centers

    def __post_init__(self) -> None:
        """Refuse labels that do not fit together."""
        if self.centers.shape != (len(self.chars), 2):
            raise ShardError(
                f"expected centers of shape ({len(self.chars)}, 2), actually {self.centers.shape}"
            )


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture and all that is known about it.

    Attributes:
        pixels: (height, width, 3) uint8 RGB.
        questions: any number of questions about this picture.
        glyphs: where its characters are.
    """

    pixels: Pixels
    questions: tuple[Question, ...]
    glyphs: Glyphs


def write_shard(path: Path, samples: Iterable[Sample]) -> str:
    """Write samples of equal size to one file, which appears whole or not at all.

    Returns:
        The SHA-256 (hex) of the content: equal samples give an equal digest.

    Raises:
        ShardError: no samples, or pictures of different sizes.
    """
    samples = tuple(samples)
    shapes = sorted({sample.pixels.shape for sample in samples})
    if len(shapes) != 1:
        raise ShardError(f"{path}: expected samples of one picture size, actually {shapes or 'no'}")
    arrays: dict[str, npt.NDArray[Any]] = {
        "pixels": np.stack([sample.pixels for sample in samples]),
        "centers": np.concatenate([sample.glyphs.centers for sample in samples], dtype=np.float32),
        "labels": np.frombuffer(json.dumps([_label(s) for s in samples]).encode(), np.uint8),
    }
    digest = _digest(arrays)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        stated = np.frombuffer(digest, np.uint8)
        np.savez_compressed(file, allow_pickle=False, sha256=stated, **arrays)
    partial.replace(path)
    return digest.hex()


def read_shard(path: Path) -> tuple[Sample, ...]:
    """Read a shard; the samples' pixels share one array.

    Raises:
        ShardError: the file is cut short, damaged, or no shard.
        OSError: the file cannot be opened.
    """
    arrays, digest = _load(path)
    if _digest(arrays) != digest:
        raise ShardError(f"{path}: the content does not have its own SHA-256; write it again")
    labels = json.loads(arrays["labels"].tobytes())
    ends = np.cumsum([len(label["chars"]) for label in labels])[:-1]
    centers = np.split(arrays["centers"], ends)
    try:
        return tuple(
            Sample(pixels, tuple(map(_question, label["questions"])), Glyphs(label["chars"], where))
            for pixels, label, where in zip(arrays["pixels"], labels, centers, strict=True)
        )
    except (KeyError, CodecError) as error:
        raise ShardError(
            f"{path}: expected labels of this version; write it again ({error})"
        ) from error


def task_of(shard: Path) -> str:
    """The task that a shard named TASK-SEED-COUNT.npz shows."""
    return shard.stem.rsplit("-", 2)[0]


def shard_digest(path: Path) -> str:
    """The SHA-256 (hex) that the shard states about its content.

    Raises:
        ShardError: the file is cut short, or no shard.
        OSError: the file cannot be opened.
    """
    return _load(path, only=("sha256",))[1].hex()


def _load(path: Path, only: tuple[str, ...] | None = None) -> tuple[dict[str, Any], bytes]:
    """The arrays of a shard, and its stated digest."""
    names = only or ("pixels", "centers", "labels", "sha256")
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in names}
        except _UNREADABLE as error:
            raise ShardError(
                f"{path}: cut short or no shard; delete it and write it again ({error})"
            ) from error
    return arrays, arrays.pop("sha256").tobytes()


def _digest(arrays: dict[str, Any]) -> bytes:
    """SHA-256 of names, shapes and content."""
    state = sha256()
    for name in sorted(arrays):
        state.update(f"{name}{arrays[name].shape}".encode())
        state.update(np.ascontiguousarray(arrays[name]).tobytes())
    return state.digest()


def _label(sample: Sample) -> dict[str, Any]:
    """The JSON part of a sample."""
    questions = [
        {
            "instruction": q.instruction,
            "action": to_dict(q.action),
            "box": q.box,
            "done": [to_dict(action) for action in q.done],
            **({"takes": q.takes} if q.takes else {}),
            **({"also": q.also} if q.also else {}),
            **({"end": q.end} if q.end else {}),
        }
        for q in sample.questions
    ]
    return {"chars": sample.glyphs.chars, "questions": questions}


def _question(label: dict[str, Any]) -> Question:
    box, end = (Box(*label[key]) if label.get(key) else None for key in ("box", "end"))
    done = tuple(from_dict(action) for action in label.get("done", ()))
    also = tuple(Box(*other) for other in label.get("also", ()))
    action = from_dict(label["action"])
    return Question(label["instruction"], action, box, done, label.get("takes"), also, end)
