"""The baseline that reads: text found by OCR, the best match of the instruction clicked."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from actions import dialects
from actions.space import Action, CallUser, Click, Step
from agent.policies.base import Decision, Observation, Policy, PolicyError
from vision.geometry import CoordinateMap, Point, Size

ENLARGED = 3
"""Interface text is smaller than what OCR models were trained on."""

ALIKE = 75.0
"""Similarity (0..100) below which nothing on the screen is what the instruction names."""

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
        bgr = observation.frame.pixels[:, :, ::-1]
        large = np.ascontiguousarray(bgr.repeat(ENLARGED, 0).repeat(ENLARGED, 1))
        found: Any = self._read(large)  # one of four classes, by what was asked for
        wanted = _QUOTED.findall(observation.instruction) or _endings(observation.instruction)
        scored = [
            (self._alike(text.lower(), phrase.lower()), box)
            for text, box in (zip(found.txts, found.boxes, strict=True) if found.txts else ())
            for phrase in wanted
        ]
        score, box = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        if box is None or score < ALIKE:
            return CallUser()
        x, y = np.asarray(box).mean(0) / ENLARGED
        return Click(Point(float(x), float(y)))


def _endings(instruction: str) -> list[str]:
    """All runs of one to four words: one of them names the target."""
    words = instruction.rstrip(".").split()
    return [
        " ".join(words[first : first + count])
        for count in range(1, 5)
        for first in range(len(words) - count + 1)
    ]
