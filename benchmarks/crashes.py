"""What is left of an episode whose writer is killed: 1,000 SIGKILLs at random moments.

    python benchmarks/crashes.py [--kills 1000] [--seed 7]

Each writer is a process of its own that records steps as fast as it can, tells of every step that
was acknowledged, and is killed at a random moment of a random step. After the kill every
acknowledged step must be there, pixel for pixel, at most one more may follow, and `verify` must
call the episode intact up to there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from actions.space import Click, Step
from agent.episodes.errors import NotAnEpisode
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

SPACE = CoordinateMap(Box(0, 0, 96, 64), Size(96, 64))
MOST_STEPS = 20
LONGEST_SECONDS = 0.03
"""Of the time between a step's beginning and the kill; a step takes about a third of it."""


def frame(number: int) -> Frame:
    """A noisy picture that differs from step to step; every tenth one entirely."""
    pixels = np.random.default_rng(number // 10).integers(0, 255, (64, 96, 3), np.uint8)
    pixels[number % 64, :4] = number % 251
    return Frame(pixels, SPACE.screen)


def write_forever(path: Path, told: int) -> None:
    """Record until killed; one dot before each step, so all dots but the last are acknowledged."""
    writer = EpisodeWriter(path, Head("until killed"))
    for number in range(100_000):
        os.write(told, b".")
        step = Step("", (Click(Point(number % 1000, 0)),))
        writer.append(frame(number), Decision(f"step {number}", SPACE, step))
        writer.wait()


def kill_one(path: Path, steps: int, seconds: float) -> int:
    """Fork a writer, kill it so many seconds after this step began; how many it acknowledged."""
    heard, told = os.pipe()
    child = os.fork()  # this process has no threads
    if child == 0:
        os.close(heard)
        write_forever(path, told)
    os.close(told)
    begun = b""
    while len(begun) < steps and (dots := os.read(heard, 64)):
        begun += dots
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(heard, "rb") as rest:
        return len(begun) + len(rest.read()) - 1


def judge(path: Path, acknowledged: int) -> str:
    """What was left, in a few words; a broken promise in capitals."""
    try:
        report = verify(path)
    except NotAnEpisode:
        return "LOST" if acknowledged else "nothing yet"
    if not report.ok or report.closed:
        return "DAMAGED"
    if not acknowledged <= report.steps <= acknowledged + 1:
        return "LOST"
    episode = Episode.open(path)
    for step in episode.steps[-3:]:
        if not np.array_equal(episode.frame(step).pixels, frame(step.index).pixels):
            return "OTHER PIXELS"
    more = report.steps - acknowledged
    if report.torn_bytes:
        return "all acknowledged, then a torn line"
    if report.strays:
        return "all acknowledged, then a picture without its line"
    return "all acknowledged and the next step" if more else "exactly the acknowledged steps"


def main() -> None:
    """Kill and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    moments = random.Random(chosen.seed)
    found: Counter[str] = Counter()
    steps = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(chosen.kills):
            path = Path(folder) / str(number)
            step = moments.randint(1, MOST_STEPS)
            acknowledged = kill_one(path, step, moments.uniform(0, LONGEST_SECONDS))
            found[judge(path, acknowledged)] += 1
            steps += acknowledged
            shutil.rmtree(path, ignore_errors=True)
    table = Table("left after the kill", "times")
    for words, times in found.most_common():
        table.add_row(words, str(times))
    Console().print(table)
    broken = sum(times for words, times in found.items() if words.isupper())
    Console().print(f"{chosen.kills} kills, {steps} acknowledged steps, {broken} broken promises")
    raise SystemExit(broken > 0)


if __name__ == "__main__":
    main()
