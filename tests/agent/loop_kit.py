"""An agent on a scripted backend, and screens that show what they are told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from actions.backends.scripted import ScriptedBackend
from actions.executor import Executor
from actions.settle import Patience as Settling
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.loop import Agent
from agent.policies.base import Policy
from agent.policies.scripted import ScriptedPolicy
from agent.run import Patience, RunResult, StepReport, Task
from vision.capture import Monitor
from vision.frame import Frame
from vision.geometry import Box

BOX = Box(0, 0, 200, 100)
SWIFT = Settling(poll=0.001, still=0.001, quiet=0.001, reaction=0.002, cap=0.02)
CLICK = "Thought: go\nAction: click(start_box='(500,500)')"
DONE = "Action: finished(content='all done')"


class Still:
    """A screen that shows frames in turn; the last one stays."""

    def __init__(self, shades: Sequence[int] = (0,)) -> None:
        self.shades = list(shades)

    box = BOX

    def monitors(self) -> tuple[Monitor, ...]:
        return (Monitor(BOX, "", True),)

    def grab(self, region: Box | None = None) -> Frame:
        shade = self.shades.pop(0) if len(self.shades) > 1 else self.shades[0]
        return Frame(np.full((100, 200, 3), shade, np.uint8), BOX)


class Changing(Still):
    """A screen of which every picture is a new one."""

    def grab(self, region: Box | None = None) -> Frame:
        self.shades[0] = (self.shades[0] + 1) % 256
        return super().grab(region)


@dataclass
class Diary:
    """A listener that writes down what it hears."""

    told: list[str | StepReport | RunResult] = field(default_factory=list)

    def started(self, instruction: str) -> None:
        self.told.append(instruction)

    def stepped(self, step: StepReport) -> None:
        self.told.append(step)

    def ended(self, result: RunResult) -> None:
        self.told.append(result)

    @property
    def steps(self) -> list[StepReport]:
        return [told for told in self.told if isinstance(told, StepReport)]


@dataclass
class Bench:
    """An agent on a scripted backend, with all its parts at hand."""

    folder: Path
    policy: Policy
    eyes: Still = field(default_factory=Still)
    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    diary: Diary = field(default_factory=Diary)
    writer: type[EpisodeWriter] = EpisodeWriter
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self.recorder = self.writer(self.folder / "episode", Head("press OK"))
        hands = Executor(self.backend, self.eyes, SWIFT)
        self.agent = Agent(
            self.policy, hands, self.eyes, self.recorder, self.diary, patience=self.patience
        )

    def run(self, max_steps: int = 30, **task: Callable[[], object]) -> RunResult:
        return self.agent.run(Task("press OK", max_steps, **task))  # type: ignore[arg-type]

    def episode(self) -> Episode:
        return Episode.open(self.folder / "episode")


def script(folder: Path, *texts: str) -> Bench:
    return Bench(folder, ScriptedPolicy(texts))
