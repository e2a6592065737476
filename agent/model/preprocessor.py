"""`preprocessor_config.json` of a checkpoint folder: how its pictures become patches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vision.image import KIMI_VL, ImageConfig


class PreprocessorError(ValueError):
    """A preprocessing that this encoder does not do."""


def load(directory: Path) -> ImageConfig:
    """Read the file; what it leaves out is as in Kimi-VL-A3B-Instruct.

    Raises:
        PreprocessorError: there is none, it is broken, or it asks for something else.
    """
    path = directory / "preprocessor_config.json"
    try:
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        merge = raw.get("merge_kernel_size", [KIMI_VL.merge, KIMI_VL.merge])
        if len(set(merge)) != 1:
            raise PreprocessorError(f"{path}: expected a square merge_kernel_size, got {merge}")
        return ImageConfig(
            patch_size=raw.get("patch_size", KIMI_VL.patch_size),
            merge=merge[0],
            in_token_limit=raw.get("in_token_limit", KIMI_VL.in_token_limit),
            pad_input=raw.get("pad_input", KIMI_VL.pad_input),
            mean=_triple(raw.get("image_mean", KIMI_VL.mean)),
            std=_triple(raw.get("image_std", KIMI_VL.std)),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PreprocessorError(f"{path} cannot be used: {error}") from error


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
