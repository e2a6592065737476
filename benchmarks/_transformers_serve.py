"""`transformers serve` in a process of its own, on the CPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _api_server import Served, free_port, server

MISSING = ("accelerate", "psutil")
"""It needs them and Eyehand does not, so they come into a temporary folder."""
PICTURES = (*MISSING, "torchvision==0.28.*")
"""What it needs for pictures; the version is the one that goes with torch 2.13."""

_START = "from transformers.cli.transformers import main; main()"
# The wheels of torchvision on PyPI belong to PyTorch with CUDA. Beside one without, their compiled
# part does not load: importing fails over the names of two operations, which nothing calls, and
# pictures must be decoded by Pillow, a choice of transformers that `serve` does not hand on.
_WITHOUT_CUDA = (
    "import torch; rest = torch.library.Library('torchvision', 'DEF'); "
    "boxes = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'; "
    "rest.define('nms' + boxes); rest.define('qnms' + boxes); "
    "import transformers.models.auto.image_processing_auto as images; "
    "images._resolve_backend = lambda *_: 'pil'; "
)


@contextmanager
def transformers_serve(
    model: Path, scratch: Path, *options: str, packages: tuple[str, ...] = MISSING
) -> Iterator[Served]:
    """It serves that folder; packages are installed into `scratch` once.

    Raises:
        RuntimeError: it does not come up.
        subprocess.SubprocessError: a package cannot be had.
    """
    target, port = scratch / "packages", free_port()
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        subprocess.run([*pip, "--target", str(target), *packages], check=True, timeout=300)
    start = _WITHOUT_CUDA + _START if packages == PICTURES else _START
    where = ["--port", str(port), "--host", "127.0.0.1", "--device", "cpu", *options]
    environ = {"PYTHONPATH": str(target), "HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / "hub")}
    command = [sys.executable, "-c", start, "serve", str(model), *where]
    with server(command, environ, port, "/health", scratch) as running:
        yield running
