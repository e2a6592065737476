"""Samples at the size at which the model looks at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from actions.space import on_points
from agent.learning.samples import Glyphs, Question, Sample
from vision.geometry import Box, Point, Size
from vision.image import KIMI_VL, ImageConfig, resized_size


def at_model_size(sample: Sample, config: ImageConfig = KIMI_VL) -> Sample:
    """The sample with picture, points, boxes and letters scaled as `vision.image.prepare` scales.

    Most screens are small enough to stay as they are.
    """
    height, width = sample.pixels.shape[:2]
    wanted = resized_size(Size(width, height), config)
    if wanted == Size(width, height):
        return sample
    x, y = wanted.width / width, wanted.height / height

    def scaled(point: Point) -> Point:
        return Point(point.x * x, point.y * y)

    def grown(box: Box) -> Box:
        return Box(box.left * x, box.top * y, box.right * x, box.bottom * y)

    def asked(question: Question) -> Question:
        return replace(
            question,
            action=on_points(question.action, scaled),
            box=question.box and grown(question.box),
            done=tuple(on_points(action, scaled) for action in question.done),
            also=tuple(map(grown, question.also)),
            end=question.end and grown(question.end),
        )

    size = int(wanted.width), int(wanted.height)
    picture = Image.fromarray(sample.pixels).resize(size, Image.Resampling.BICUBIC)
    centers = (sample.glyphs.centers * (x, y)).astype(np.float32)
    return Sample(
        np.asarray(picture),
        tuple(map(asked, sample.questions)),
        Glyphs(sample.glyphs.chars, centers),
    )
