"""How long a picture of the display in $DISPLAY takes to become a tensor, ours and PyAutoGUI's.

`python -m benchmarks._hands_camera TRIES SECONDS` prints the seconds of each, as JSON. It is a
program of its own because PyAutoGUI takes its display when it is imported.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pyautogui
import torch

from benchmarks._hands_sheet import rounds
from vision.capture import Screen


def main() -> None:
    """Take turns, so that a busy moment hits both."""
    spent: dict[str, list[float]] = {"ours": [], "PyAutoGUI": []}
    with Screen() as screen:
        for _ in rounds(int(sys.argv[1]), float(sys.argv[2])):
            begun = time.perf_counter()
            ours = torch.from_numpy(screen.grab().pixels)
            middle = time.perf_counter()
            theirs = torch.from_numpy(np.array(pyautogui.screenshot()))
            spent["ours"].append(middle - begun)
            spent["PyAutoGUI"].append(time.perf_counter() - middle)
            assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    json.dump(spent, sys.stdout)


if __name__ == "__main__":
    main()
