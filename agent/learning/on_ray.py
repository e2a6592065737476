"""Plays pages on a Ray cluster.

Each worker is a process somewhere in the cluster with a stage of its own; it runs the same
`play_safely` as a thread on this machine. A worker that dies takes its page with it: the page is
played once more by a new worker, then counts as not solved.
"""

from __future__ import annotations

import logging
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from agent.learning.playing import PLAYS, Page, Played, Stage, play_safely
from agent.learning.scores import Rollout


class ClusterError(RuntimeError):
    """Ray is not installed, or the cluster cannot be reached; the message says what to do."""


class RayCrew:
    """The workers of a cluster, inside a `with` block.

    Its nodes need the same version of Eyehand with Xvfb and Chromium. Policies are pickled by Ray,
    so hand it such as hold little, like `NamedPolicy`.

    Args:
        address: of the cluster, such as "auto" or "10.0.0.1:6379".
        workers: how many of them play side by side.

    Raises:
        ClusterError: on entering, when Ray is missing or does not connect.
    """

    def __init__(self, address: str, workers: int = 1) -> None:
        self._address = address
        self._workers = workers

    def __enter__(self) -> RayCrew:
        try:
            import ray
        except ImportError as error:
            raise ClusterError(f"Ray needs pip install 'eyehand[ray]' ({error})") from error
        try:
            _knock(self._address)
            ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(f"no Ray cluster at {self._address}: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import ray

        ray.shutdown()

    def __call__(
        self,
        stage: Callable[[], Stage],
        pages: Sequence[Page],
        max_steps: int,
        progress: Callable[[Rollout], None] = lambda rollout: None,
    ) -> Played:
        """Play them all."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        def hire() -> Any:
            # Without a claim on processors, so that no worker waits for one for ever.
            return ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(_Worker).remote(stage)

        waiting = deque(range(len(pages)))
        idle = deque(hire() for _ in range(min(self._workers, len(pages))))
        busy: dict[Any, tuple[Any, int]] = {}
        deaths: Counter[int] = Counter()
        played: dict[int, Rollout] = {}
        software: dict[str, str] = {}
        while len(played) < len(pages):
            while waiting and idle:
                worker, index = idle.popleft(), waiting.popleft()
                busy[worker.play.remote(pages[index], max_steps)] = worker, index
            (ready, *_), _ = ray.wait(list(busy), num_returns=1)
            worker, index = busy.pop(ready)
            try:
                played[index], records, software = ray.get(ready)
                _write(pages[index].folder, records)
                idle.append(worker)
            except RayTaskError as error:
                raise error.cause from None  # what ends one worker ends them all
            except RayActorError as error:
                idle.append(hire())
                deaths[index] += 1
                if deaths[index] < PLAYS:
                    waiting.appendleft(index)
                    continue
                played[index] = pages[index].lost(f"the worker died: {error}")
            progress(played[index])
        for worker in idle:
            with suppress(RayActorError):  # it has nothing to tell any more
                ray.get(worker.close.remote())
        return Played(tuple(played[index] for index in range(len(pages))), software)


def _knock(address: str) -> None:
    """Connect once, because Ray tries for many minutes where nobody answers.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), 10).close()


class _Worker:
    """A process of the cluster that plays one page after the other on a stage of its own."""

    def __init__(self, stage: Callable[[], Stage]) -> None:
        self._make = stage
        self._held = ExitStack()
        self._stage: Stage | None = None

    def play(self, page: Page, max_steps: int) -> tuple[Rollout, dict[str, bytes], dict[str, str]]:
        """The rollout, the files of its record where that is kept, and what was played with."""
        # Opened here and not before, so that an error on the way is this call's and has its name.
        if self._stage is None:
            self._stage = self._held.enter_context(self._make())
        with tempfile.TemporaryDirectory() as scratch:
            rollout = play_safely(self._stage, replace(page, folder=Path(scratch)), max_steps)
            return rollout, _read(Path(scratch)), self._stage.describe()

    def close(self) -> None:
        """End what the stage has started."""
        self._held.close()


def _read(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
