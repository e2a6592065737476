"""Screenshots on disk: lossless PNG, each picture written once, most of them as a difference.

From step to step a screen hardly changes, so a picture is stored as its difference (exclusive or)
to a *key picture* shown by an earlier step, as long as that takes less than half the room that the
key itself takes; otherwise it becomes the next key picture. A difference never refers to another
difference, so any picture is read from at most two files.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from agent.episodes.errors import BrokenEpisode
from agent.episodes.files import Files
from agent.episodes.folder import write_whole
from agent.episodes.format import IMAGES, FrameRecord, digest
from vision.frame import Frame, Pixels

_MAX_PIXELS = 100_000_000


def image_name(record: FrameRecord) -> str:
    """Path of a picture's file inside the episode."""
    return (
        f"{IMAGES}/{record.digest}.png"
        if record.base is None
        else f"{IMAGES}/{record.digest}.delta.png"
    )


class ImageWriter:
    """Writes each new picture of one episode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, FrameRecord] = {}
        self._key: Pixels | None = None
        self._key_digest = ""
        self._key_bytes = 0

    def store(self, frame: Frame) -> FrameRecord:
        """The record of a frame, whose picture is then on the disk.

        Raises:
            OSError: the disk refused it.
        """
        record = self._known.get(frame.digest)
        if record is None:
            record = self._write(frame)
            self._known[frame.digest] = record
        return replace(record, box=frame.box, time=frame.time, cursor=frame.cursor)

    def _write(self, frame: Frame) -> FrameRecord:
        """Write a new picture as a difference to the key, or as the next key."""
        record = FrameRecord(frame.digest, "", (frame.width, frame.height), frame.box)
        if self._key is not None and self._key.shape == frame.pixels.shape:
            data = _encode(np.bitwise_xor(frame.pixels, self._key))
            if 2 * len(data) <= self._key_bytes:
                return self._put(replace(record, base=self._key_digest), data)
        data = _encode(frame.pixels)
        record = self._put(record, data)
        self._key, self._key_digest, self._key_bytes = frame.pixels, frame.digest, len(data)
        return record

    def _put(self, record: FrameRecord, data: bytes) -> FrameRecord:
        write_whole(self._path / image_name(record), data)
        return replace(record, file=digest(data))


def read_image(files: Files, record: FrameRecord, key: FrameRecord | None, step: int) -> Frame:
    """The frame of a step, pixel for pixel as it was seen.

    Args:
        files: the episode's files.
        record: the frame to read.
        key: the record of its key picture, None when it has none.
        step: the step's index, for messages.

    Raises:
        BrokenEpisode: a file is missing, damaged or not the one that was recorded.
    """
    pixels = _read(files, record, step)
    if key is not None:
        pixels = np.bitwise_xor(pixels, _read(files, key, step))
    frame = Frame(pixels, record.box, record.time, record.cursor)
    if frame.digest != record.digest:
        raise BrokenEpisode(
            f"{files.path / image_name(record)}, step {step}: it does not show the recorded pixels"
        )
    return frame


def _encode(pixels: Pixels) -> bytes:
    """As PNG, fast rather than small."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _read(files: Files, record: FrameRecord, step: int) -> Pixels:
    """The pixels in one file, whose hash and size must be the recorded ones."""
    where = f"{files.path / image_name(record)}, step {step}"
    try:
        data = files.read(image_name(record))
    except OSError as error:
        raise BrokenEpisode(f"{where}: the image cannot be read: {error.strerror}") from error
    if digest(data) != record.file:
        raise BrokenEpisode(f"{where}: the image was changed after it was recorded")
    image = decode_png(data, where)
    if image.size != record.size:
        raise BrokenEpisode(f"{where}: expected {record.size} pixels, actually: {image.size}")
    return np.asarray(image.convert("RGB"))


def decode_png(data: bytes, where: str) -> Image.Image:
    """The picture, unless its header promises more pixels than a screen can have.

    Raises:
        BrokenEpisode: it does, or it is no PNG; the message begins with `where`.
    """
    try:
        with warnings.catch_warnings():
            # Our own limit, below, is stricter than the one that Pillow warns about.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=["PNG"])
        if image.width * image.height > _MAX_PIXELS:
            raise BrokenEpisode(f"{where}: {image.width}x{image.height} pixels are too many")
        image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BrokenEpisode(f"{where}: the image cannot be decoded: {error}") from error
    return image
