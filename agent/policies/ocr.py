"""The baseline that reads: text found by OCR, the best match of the instruction clicked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from actions import dialects
from actions.space import Action, CallUser, Click, Step
from agent.policies.base import Decision, Observation, Policy, PolicyError
from vision.frame import Frame
from vision.geometry import CoordinateMap, Point, Size

ENLARGED = 3
"""Interface text is smaller than what OCR models were trained on."""

ALIKE = 75.0
"""Similarity (0..100) below which nothing on the screen is what the instruction names."""

LONGEST = 4
"""Words of a name, at most."""

_QUOTED = re.compile(r'"([^"]+)"')


class OcrPolicy(Policy):
    """RapidOCR and fuzzy matching, as people build it first.

    Raises:
        PolicyError: the extra `ocr` is not installed.
    """

    def __init__(self) -> None:
        try:
            import rapidocr
            from rapidfuzz import fuzz
        except ImportError as error:
            raise PolicyError(f"OCR needs pip install 'eyehand[ocr]' ({error})") from error
        self._read = rapidocr.RapidOCR(params={"Global.log_level": "error"})
        self._alike = fuzz.ratio

    def decide(self, observation: Observation) -> Decision:
        """Click the text that is most like what the instruction quotes, else like its words."""
        frame = observation.frame
        width, height = frame.width, frame.height
        map = CoordinateMap(frame.box, Size(width, height), Size(width, height))
        action = self._choose(observation)
        text = dialects.render(Step("", (action,)), "uitars-absolute")
        return Decision(text, map, step=Step("", (action,)))

    def describe(self) -> dict[str, str]:
        """What it is."""
        return {"policy": "rapidocr + rapidfuzz"}

    def _choose(self, observation: Observation) -> Action:
        asked = observation.instruction
        wanted = _QUOTED.findall(asked) or list(_runs(asked.rstrip(".")))
        scored = [
            (self._alike(text.lower(), phrase.lower()), len(phrase), place)
            for text, place in self._texts(observation.frame)
            for phrase in wanted
        ]
        score, _, place = max(scored, key=lambda found: found[:2], default=(0.0, 0, Point(0, 0)))
        return Click(place) if score >= ALIKE else CallUser()

    def _texts(self, frame: Frame) -> Iterator[tuple[str, Point]]:
        """Lines of text and all runs of words in them, each with its middle."""
        size = frame.width * ENLARGED, frame.height * ENLARGED
        large = Image.fromarray(frame.pixels).resize(size, Image.Resampling.BICUBIC)
        found: Any = self._read(np.asarray(large)[:, :, ::-1])
        for line, box in zip(found.txts, found.boxes, strict=True) if found.txts else ():
            (left, top), (right, bottom) = box.min(0) / ENLARGED, box.max(0) / ENLARGED
            for part, (start, stop) in {line: (0, len(line)), **_runs(line)}.items():
                along = (start + stop) / 2 / len(line)
                yield part, Point(float(left + (right - left) * along), float(top + bottom) / 2)


def _runs(text: str) -> dict[str, tuple[int, int]]:
    """All runs of one to four words, and from where to where they stand in the text."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    spans = [
        (words[first][0], words[first + count - 1][1])
        for count in range(1, LONGEST + 1)
        for first in range(len(words) - count + 1)
    ]
    return {text[start:stop]: (start, stop) for start, stop in spans}
