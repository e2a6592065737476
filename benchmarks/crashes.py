"""What is left of an episode after 1,000 SIGKILLs and after a cut at every byte of its end.

    python benchmarks/crashes.py [--kills 1000] [--seed 7] [--cuts 3]

1,000 kills take some minutes and the cuts 10 s of processor time: on a machine that other work
keeps busy, do them in parts (`--kills 0`, `--cuts 0`).

Each writer is a process of its own that records steps as fast as it can, tells of every step that
was acknowledged, and is killed at a random moment of a random step. After the kill every
acknowledged step must be there, pixel for pixel, at most one more may follow, and `verify` must
call the episode intact up to there.

Then the power fails: `steps.jsonl` and the pictures of the last steps are cut at every byte. Every
earlier step must still be there, and `verify` must name the byte or the picture where it ends.
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
from functools import cache
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from actions.space import Click, Step
from agent.episodes.errors import NotAnEpisode
from agent.episodes.format import Head
from agent.episodes.images import image_name
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

SPACE = CoordinateMap(Box(0, 0, 96, 64), Size(96, 64))
FEWEST_STEPS, MOST_STEPS = 2, 20
LONGEST = 1.5
"""From a step's beginning to the kill, in steps: disks differ too much for seconds."""


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


def kill_one(path: Path, steps: int, later: float) -> int:
    """Fork a writer and kill it; how many steps it acknowledged.

    Args:
        path: where it records.
        steps: the kill comes after this step began, at least 2,
        later: and that many times as long as its steps took so far.
    """
    heard, told = os.pipe()
    child = os.fork()  # this process has no threads
    if child == 0:
        os.close(heard)
        write_forever(path, told)
    os.close(told)
    begun = os.read(heard, 1)
    first = time.perf_counter()
    while len(begun) < steps and (dots := os.read(heard, 64)):
        begun += dots
    time.sleep(later * (time.perf_counter() - first) / (steps - 1))
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


def kill(kills: int, seed: int) -> tuple[Counter[str], int]:
    """What was left how often, and how many steps were acknowledged in all."""
    moments = random.Random(seed)
    found: Counter[str] = Counter()
    steps = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(kills):
            path = Path(folder) / str(number)
            step = moments.randint(FEWEST_STEPS, MOST_STEPS)
            acknowledged = kill_one(path, step, moments.uniform(0, LONGEST))
            found[judge(path, acknowledged)] += 1
            steps += acknowledged
            shutil.rmtree(path, ignore_errors=True)
    return found, steps


def cut(last: int) -> tuple[int, int]:
    """Cut an episode at every byte of its last steps; how many cuts, and how many went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path, count = Path(folder) / "e", 2 * last
        writer = EpisodeWriter(path, Head("until the power fails"))
        for number in range(count):
            step = Step("", (Click(Point(number, 0)),))
            writer.append(small(number), Decision(f"step {number}", SPACE, step))
        writer.wait()
        lines, wrong = cut_lines(path, last)
        for step in Episode.open(path).steps[-last:]:
            cuts, failed = cut_picture(path, step.index, image_name(step.frame))
            lines, wrong = lines + cuts, wrong + failed
        return lines, wrong + (not verify(path).ok)


@cache
def small(number: int) -> Frame:
    """Every second one is a difference to the one before."""
    pixels = np.random.default_rng(number // 2).integers(0, 255, (8, 12, 3), np.uint8)
    pixels[0, 0] = number
    return Frame(pixels, Box(0, 0, 12, 8))


def cut_lines(path: Path, last: int) -> tuple[int, int]:
    """Cut `steps.jsonl` byte by byte down to the step before the last ones; then mend it."""
    file = path / "steps.jsonl"
    whole = file.read_bytes()
    ends = [0, *(place + 1 for place, byte in enumerate(whole) if byte == ord("\n"))]
    lengths = range(len(whole) - 1, ends[-1 - last] - 1, -1)
    wrong = 0
    for length in lengths:
        os.truncate(file, length)
        complete = whole[:length].count(b"\n")
        report = verify(path)
        right = (report.ok, report.steps, report.end) == (True, complete, ends[complete])
        whole_pictures = length not in ends or shows(path, complete)  # no cut changes a picture
        wrong += not (right and len(Episode.open(path).steps) == complete and whole_pictures)
    file.write_bytes(whole)
    return len(lengths), wrong


def cut_picture(path: Path, step: int, name: str) -> tuple[int, int]:
    """Cut the picture of a step byte by byte; then mend it."""
    file = path / name
    whole = file.read_bytes()
    wrong = 0
    for length in range(len(whole) - 1, -1, -1):
        os.truncate(file, length)
        told = verify(path).problems
        right = [(problem.file, problem.step) for problem in told] == [(name, step)]
        wrong += not (right and (length % 16 or shows(path, step)))
    file.write_bytes(whole)
    return len(whole), wrong


def shows(path: Path, count: int) -> bool:
    """Whether the first steps are there, pixel for pixel."""
    episode = Episode.open(path)
    return all(
        np.array_equal(episode.frame(step).pixels, small(step.index).pixels)
        for step in episode.steps[:count]
    )


def main() -> None:
    """Kill, cut and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cuts", type=int, default=3, help="how many last steps are cut")
    chosen = parser.parse_args()
    found, steps = kill(chosen.kills, chosen.seed)
    spent = time.process_time()
    table = Table("left after the kill", "times")
    for words, times in found.most_common():
        table.add_row(words, str(times))
    Console().print(table)
    broken = sum(times for words, times in found.items() if words.isupper())
    Console().print(f"{chosen.kills} kills, {steps} acknowledged steps, {broken} broken promises")
    cuts, wrong = cut(chosen.cuts) if chosen.cuts else (0, 0)
    spent = time.process_time() - spent
    Console().print(f"{cuts} cuts, {wrong} broken promises ({spent:.0f} s of processor time)")
    raise SystemExit(broken + wrong > 0)


if __name__ == "__main__":
    main()
