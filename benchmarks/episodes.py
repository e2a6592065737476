"""What recording costs: milliseconds per step on the agent's thread, and megabytes per episode.

    python benchmarks/episodes.py [--steps 1000] [--think-ms 100]

Draws a 1920x1080 desktop of windows full of text, a photograph and a terminal that gains a line
with every step, so that every frame is new. Between two steps the agent's thread sleeps for
`--think-ms`, a stand-in for the policy, while the worker writes. `append` and `wait` are what the
agent's thread pays.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from actions.receipt import Outcome, Receipt
from actions.space import Click, Step
from agent.episodes.format import End, Ending, Head
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

SIZE = (1920, 1080)
LETTERS = "abcdefghijklmnopqrstuvwxyz     ABCDEFG 0123456789 .,;()"


def desktop(rng: random.Random) -> Image.Image:
    """A wallpaper with a gradient, three windows of text and a noisy 320x200 photograph."""
    wall = Image.linear_gradient("L").resize(SIZE)
    image = Image.merge("RGB", [wall.point(lambda v, k=k: 40 + v // k) for k in (4, 3, 2)])
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for left, top in ((60, 60), (700, 140), (1000, 420)):
        draw.rectangle((left, top, left + 840, top + 600), "white", "gray")
        draw.rectangle((left, top, left + 840, top + 28), "#3c5aa0")
        for row in range(30):
            text = "".join(rng.choices(LETTERS, k=rng.randint(20, 110)))
            draw.text((left + 10, top + 36 + row * 18), text, "#202020", font)
    photo = Image.effect_noise((320, 200), 20).convert("RGB")
    image.paste(photo, (1500, 60))
    return image


def frames(count: int, seed: int = 0) -> list[Frame]:
    """Up to 50 different screens, each with lines of a terminal that the others lack."""
    rng = random.Random(seed)
    image = desktop(rng)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    shown = []
    for number in range(min(count, 50)):
        top = 480 + number % 30 * 17
        draw.rectangle((60, top, 640, top + 17), "black")
        draw.text((66, top), "".join(rng.choices(LETTERS, k=70)), "#b0ffb0", font)
        shown.append(Frame.of_image(image.copy()))
    return shown


def variant(frame: Frame, number: int) -> Frame:
    """The same screen with a clock that no other step shows."""
    pixels = frame.pixels.copy()
    bits = [(number >> bit) & 1 for bit in range(16)]
    for bit, value in enumerate(bits):
        pixels[4:12, 1700 + bit * 8 : 1706 + bit * 8] = 255 * value
    return Frame(pixels, frame.box, time=float(number))


def record(path: Path, steps: int, think_s: float) -> dict[str, list[float]]:
    """Record and time the calls, all in milliseconds."""
    screens = frames(steps)
    space = CoordinateMap(Box(0, 0, *SIZE), Size(*SIZE))
    step = Step("next", (Click(Point(500, 500)),))
    decision = Decision("Thought: next\nAction: click(start_box='(500,500)')", space, step)
    receipts = [Receipt(Click(Point(960, 540)), Outcome.CONFIRMED)]
    times: dict[str, list[float]] = {"append": [], "wait": [], "worker (CPU)": []}
    with EpisodeWriter(path, Head("benchmark")) as writer:
        for number in range(steps):
            frame = variant(screens[number % len(screens)], number)
            others = time.process_time() - time.thread_time()
            start = time.perf_counter()
            writer.append(frame, decision, [receipts[0].action], receipts)
            times["append"].append((time.perf_counter() - start) * 1e3)
            time.sleep(think_s)
            start = time.perf_counter()
            writer.wait()
            times["wait"].append((time.perf_counter() - start) * 1e3)
            spent = time.process_time() - time.thread_time() - others
            times["worker (CPU)"].append(spent * 1e3)
        writer.close(Ending(End.FINISHED))
    return times


def table_of(times: dict[str, list[float]]) -> Table:
    """Median, 95th percentile and mean of every row."""
    table = Table("per step", "median ms", "95 % ms", "mean ms")
    for name, values in times.items():
        high = sorted(values)[int(len(values) * 0.95)]
        row = (statistics.median(values), high, statistics.mean(values))
        table.add_row(name, *(f"{value:.2f}" for value in row))
    return table


def main() -> None:
    """Record, read back, verify; print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--think-ms", type=float, default=100)
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "episode"
        times = record(path, chosen.steps, chosen.think_ms / 1e3)
        console.print(table_of(times))
        start = time.perf_counter()
        episode = Episode.open(path)
        opened = time.perf_counter()
        report = verify(path)
        verified = time.perf_counter()
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
        console.print(
            f"{len(episode.steps)} steps: {size:.1f} MB; opened in {opened - start:.2f} s, "
            f"verified in {verified - opened:.2f} s ({'ok' if report.ok else 'BROKEN'})"
        )


if __name__ == "__main__":
    main()
