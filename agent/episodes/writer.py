"""Writing an episode: a folder that is valid after every step.

A step is compressed, hashed and written by one worker thread while the agent goes on; the next
`append` (and `wait`, and `close`) first joins it, so at most one step is ever on its way. What was
joined is on the disk: image first (synced, renamed into place), then its line (synced).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from types import TracebackType

from actions import codec
from actions.receipt import Outcome, Receipt
from actions.space import Action
from agent.episodes.errors import EpisodeInUse, RecordingFailed
from agent.episodes.folder import FolderLock, write_all, write_whole
from agent.episodes.format import (
    IMAGES,
    LOCK,
    MANIFEST,
    STEPS,
    End,
    Ending,
    Head,
    Json,
    genesis,
    new_manifest,
    seal_line,
    seal_manifest,
    to_json,
)
from agent.episodes.images import ImageWriter
from agent.episodes.rehearsal import Refusal, Rehearsal
from agent.episodes.withhold import Withhold, clean, nothing
from agent.policies.base import Decision
from vision.frame import Frame


class EpisodeWriter:
    """Records one episode into a folder. Not thread-safe: one recorder, one thread.

    As a context manager it closes the episode when an error passes through, with that error as its
    ending.
    """

    def __init__(self, path: Path | str, head: Head, *, withhold: Withhold = nothing) -> None:
        """Start recording.

        Args:
            path: the folder; it is made, and may exist when it holds no episode.
            head: what is known before the first step.
            withhold: every text passes through it before it is written, on the caller's thread.

        Raises:
            EpisodeInUse: another writer holds the folder, or an episode is already in it.
            RecordingFailed: the folder cannot be written.
        """
        self.path = Path(path)
        self._withhold = withhold
        head_json, _ = clean(to_json(head), withhold)
        self._manifest = new_manifest(head_json)
        self._seal = genesis(head_json)
        self._count = 0
        self._end = 0
        self._rehearsal = Rehearsal()
        self._images = ImageWriter(self.path)
        self._pending: Future[None] | None = None
        self._failure: RecordingFailed | None = None
        try:
            (self.path / IMAGES).mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.path / LOCK)
        except OSError as error:
            raise RecordingFailed(f"cannot record into {self.path}: {error}") from error
        try:
            self._steps = self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="episode")

    @property
    def count(self) -> int:
        """How many steps were handed over so far."""
        return self._count

    def append(
        self,
        frame: Frame,
        decision: Decision,
        screen_actions: Sequence[Action] = (),
        receipts: Sequence[Receipt] = (),
        feedback: str = "",
    ) -> None:
        """Record one step; it is on the disk when the next `append`, `wait` or `close` returns.

        Args:
            frame: what the policy saw.
            decision: what it decided, its actions in model space.
            screen_actions: the same actions in screen pixels, as handed to the executor.
            receipts: what became of them.
            feedback: what the model is told about them.

        Raises:
            RecordingFailed: this writer is closed, or an earlier step could not be written.
        """
        self.wait()
        if self._lock.released:
            raise RecordingFailed(f"{self.path} is closed; record into a new folder")
        decided = self._decided(decision, screen_actions, receipts, feedback)
        self._pending = self._worker.submit(self._record, self._count, time.time(), frame, decided)
        self._count += 1

    def wait(self) -> None:
        """Return when everything handed over so far is on the disk.

        Raises:
            RecordingFailed: it could not be written; the message names the step.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            try:
                pending.result()
            except Exception as error:
                self._failure = RecordingFailed(
                    f"step {self._count - 1} could not be written to {self.path}: {error}; "
                    f"the {self._count - 1} steps before it are complete"
                )
                self._failure.__cause__ = error
        if self._failure is not None:
            raise self._failure

    def close(self, outcome: Ending) -> None:
        """Write the ending and let go of the folder. Safe to repeat: the first ending stays.

        Raises:
            RecordingFailed: a step or the ending could not be written.
        """
        if self._lock.released:
            return
        try:
            self.wait()
            ending, _ = clean(to_json(outcome), self._withhold)
            ending |= {"steps": self._count, "last": self._seal, "time": time.time()}
            self._write_manifest(self._manifest | {"outcome": ending})
        finally:
            self._worker.shutdown()
            self._steps.close()
            self._lock.release()

    def __enter__(self) -> EpisodeWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close(Ending(End.STOPPED))
        else:
            end = End.FAILED if isinstance(error, Exception) else End.STOPPED
            try:
                self.close(Ending(end, f"{type(error).__name__}: {error}"))
            except RecordingFailed as second:
                # The error on its way up is the one that matters; this one is told beside it.
                error.add_note(str(second))

    def _begin(self) -> FileIO:
        """Write the manifest and an empty `steps.jsonl`."""
        if (self.path / MANIFEST).exists() or (self.path / STEPS).exists():
            raise EpisodeInUse(f"{self.path} already holds an episode; record into a new folder")
        try:
            steps = FileIO(self.path / STEPS, "xb")
        except OSError as error:
            raise RecordingFailed(f"cannot record into {self.path}: {error}") from error
        try:
            self._write_manifest(self._manifest)
        except BaseException:
            steps.close()
            (self.path / STEPS).unlink()
            raise
        return steps

    def _write_manifest(self, manifest: Json) -> None:
        try:
            write_whole(self.path / MANIFEST, seal_manifest(manifest))
        except (OSError, ValueError) as error:
            raise RecordingFailed(f"cannot write {self.path / MANIFEST}: {error}") from error

    def _decided(
        self,
        decision: Decision,
        screen_actions: Sequence[Action],
        receipts: Sequence[Receipt],
        feedback: str,
    ) -> Json:
        """Everything of a step but its position and its frame, with nothing secret left in it."""
        step = decision.step
        spoken = {
            "text": decision.text,
            "thought": step.thought if step else "",
            "actions": [codec.to_dict(action) for action in step.actions] if step else [],
            "screen_actions": [codec.to_dict(action) for action in screen_actions],
            "receipts": [self._receipt(receipt) for receipt in receipts],
            "error": decision.error,
            "feedback": feedback,
        }
        safe, withheld = clean(spoken, self._withhold)
        return {
            **safe,
            "map": vars(decision.map),
            "confidence": decision.confidence,
            "usage": asdict(decision.usage),
            "timing": asdict(decision.timing),
            "withheld": withheld,
        }

    def _receipt(self, receipt: Receipt) -> Json:
        """A receipt with the primitive events of its action, when it went through."""
        events = None
        if receipt.outcome in (Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT):
            with suppress(Refusal):
                events = self._rehearsal.perform(receipt.action)
        elif receipt.outcome is Outcome.FAILED:
            self._rehearsal.release()
        return vars(receipt) | {"action": codec.to_dict(receipt.action), "events": events}

    def _record(self, index: int, now: float, frame: Frame, decided: Json) -> None:
        """Image, then line; runs on the worker thread."""
        shown = asdict(self._images.store(frame))
        step = {"index": index, "time": now, "frame": shown, **decided}
        line, seal = seal_line(step, self._seal)
        try:
            write_all(self._steps, line)
        except OSError:
            self._steps.truncate(self._end)
            self._steps.seek(self._end)
            raise
        self._seal, self._end = seal, self._end + len(line)
