"""Learn an app from 20 recordings: what the model makes of it before and after.

    python benchmarks/learn.py [--folder DIR] [--recordings 20] [--steps 50] [--screens 100]

`_learn_app.py` is a control panel whose buttons carry short forms that the instructions do not
hold, so a model that looks for the words of the instruction finds nothing. A script that knows the
panel records episodes through the real hands on a virtual display; `eyehand learn` holds a quarter
of them back and trains on the others. Then both models decide on recordings that neither training
nor the gate has seen. `--folder` keeps everything; what is there already is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from _learn_app import SIZE, TASKS
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from agent.environments.display import VirtualDisplay
from agent.environments.program import program
from agent.episodes.agent_replay import agent_replay
from agent.episodes.format import Head
from agent.episodes.writer import EpisodeWriter
from agent.learning.learn import MODEL, learn
from agent.learning.recipe import Recipe
from agent.loop import Agent
from agent.policies.local import EMBEDDED, local_policy
from agent.policies.scripted import ScriptedPolicy
from agent.run import Task
from vision.capture import Screen
from vision.geometry import Size


def record(folder: Path, seed: int) -> Path:
    """One recording: the panel of this seed, a task, the right click, and that it is finished."""
    task, label = list(TASKS.items())[seed % len(TASKS)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    places = folder.with_suffix(".json")
    panel = str(Path(__file__).with_name("_learn_app.py"))
    with (
        VirtualDisplay(Size(*SIZE)) as display,
        program([sys.executable, panel, str(seed), str(places)], display.name, display.env),
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        while not places.exists() or not places.read_text():
            time.sleep(0.05)
        x, y = json.loads(places.read_text())[label]
        x, y = round(x * 1000 / SIZE[0]), round(y * 1000 / SIZE[1])
        said = (f"Action: click(start_box='({x},{y})')", "Action: finished()")
        policy = ScriptedPolicy(said)
        writer = EpisodeWriter(folder, Head(task, policy=policy.describe(), rules=()))
        Agent(policy, Executor(backend, screen, fail_safe=False), screen, writer).run(Task(task))
    return folder


def recordings(folder: Path, seeds: range) -> list[Path]:
    """A recording of each seed."""
    paths = [folder / f"{seed:03d}" for seed in seeds]
    return [
        path if path.exists() else record(path, seed)
        for path, seed in zip(paths, seeds, strict=True)
    ]


def run(folder: Path, count: int, steps: int, screens: int) -> None:
    """Record, learn, print."""
    console = Console()
    begun = time.perf_counter()
    paths = recordings(folder / "recordings", range(2 * count))
    told = f"{time.perf_counter() - begun:.0f} s"
    console.print(f"recorded {len(paths)} episodes in {told}; {count} to learn from")
    begun, spent = time.perf_counter(), time.process_time()
    recipe = Recipe.load("recordings").with_steps(steps)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("steps", total=recipe.steps)
        gate = learn(
            paths[:count], folder / "learned", recipe, screens=screens,
            report=lambda step, _: progress.update(bar, completed=step),
            told=lambda taught: console.print(str(taught)),
        )  # fmt: skip
    spent, wall = time.process_time() - spent, time.perf_counter() - begun
    console.print(
        f"{recipe.steps} steps and the gate: {spent:.0f} s of processor time, {wall:.0f} s"
    )
    console.print(gate.to_rich())
    if gate.refusal:
        raise SystemExit(f"not kept: {gate.refusal}")
    table = Table("recordings seen by neither", "before", "after")
    models = (EMBEDDED, folder / "learned" / MODEL)
    table.add_row("decisions as recorded", *(_of(*found(paths[count:], model)) for model in models))
    console.print(table)


def found(paths: list[Path], model: Path) -> tuple[int, int]:
    """How many decisions a model takes nearly as recorded, and how many there are."""
    with closing(local_policy(model)) as policy:
        reports = [agent_replay(path, policy) for path in paths]
    return sum(sum(report.near) for report in reports), sum(report.steps for report in reports)


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})"


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--screens", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        run(folder, chosen.recordings, chosen.steps, chosen.screens)


if __name__ == "__main__":
    main()
