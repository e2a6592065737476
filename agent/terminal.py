"""The live view of a run: one line per step, and what is going on now."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.status import Status
from rich.text import Text

from actions.codec import to_dict
from actions.receipt import Outcome, Receipt
from actions.space import Action
from agent.episodes.format import End, StepRecord
from agent.episodes.reader import Episode
from agent.episodes.view import describe
from agent.run import RunResult, StepReport

_RECEIPT_STYLES = {
    Outcome.CONFIRMED: "green",
    Outcome.NO_VISIBLE_EFFECT: "yellow",
    Outcome.REFUSED: "red",
    Outcome.FAILED: "red",
}
_GOOD = (End.FINISHED, End.DONE)


class TerminalView:
    """Shows a run on a terminal; elsewhere (a pipe, a log file) it prints plain lines.

    Args:
        console: where to write; None means standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._status: Status | None = None

    def started(self, instruction: str) -> None:
        """Name the task."""
        self._line(Text.assemble(("task  ", "bold"), one_line(instruction)))
        if self._console.is_terminal:
            self._status = self._console.status("step 1 ...")
            self._status.start()

    def stepped(self, step: StepReport) -> None:
        """One line: number, thought, actions, receipts, milliseconds."""
        self._line(self._describe(step))
        if self._status is not None:
            self._status.update(f"step {step.number + 1} ...")

    def ended(self, result: RunResult) -> None:
        """How the run went."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        style = "bold green" if result.outcome in _GOOD else "bold yellow"
        steps = f"{result.steps} step" + ("" if result.steps == 1 else "s")
        line = Text.assemble((result.outcome.replace("_", " "), style), f"  after {steps}")
        if result.message:
            line.append(f": {one_line(result.message)}")
        self._line(line)

    def consent(self, action: Action, reason: str) -> bool:
        """Ask whoever sits at the terminal; without one there is no consent."""
        if not (self._console.is_terminal and sys.stdin.isatty()):
            return False
        if self._status is not None:
            self._status.stop()
        self._line(Text(f"      {one_line(describe(to_dict(action)))}: {reason}", "bold yellow"))
        try:
            answer = self._console.input("      let it happen? [y/N] ", markup=False)
        except EOFError:  # Ctrl-D
            answer = ""
        if self._status is not None:
            self._status.start()
        return answer.strip().lower() in ("y", "yes")

    def _describe(self, step: StepReport) -> Text:
        parsed = step.decision.step
        line = Text(f"{step.number:>4}  ")
        if parsed is None:
            line.append(f"unreadable: {one_line(step.decision.error or '')}", "red")
        else:
            if parsed.thought:
                line.append_text(self._thought(parsed.thought)).append("  ")
            shown = step.actions or parsed.actions
            words = ", ".join(describe(to_dict(action)) for action in shown)
            line.append(one_line(words), "bold")
        for receipt in step.receipts:
            line.append("  ").append(*self._receipt(receipt))
        return line.append(f"  {step.total_ms:.0f} ms", "dim")

    def _thought(self, words: str) -> Text:
        """A thought; a terminal shows as much as leaves room for what is done."""
        thought = Text(one_line(words), "dim")
        if self._console.is_terminal:
            thought.truncate(self._console.width // 3, overflow="ellipsis")
        return thought

    def _receipt(self, receipt: Receipt) -> tuple[str, str]:
        words = receipt.outcome.replace("_", " ")
        if receipt.message and receipt.outcome is not Outcome.CONFIRMED:
            words += f": {one_line(receipt.message)}"
        return words, _RECEIPT_STYLES[receipt.outcome]

    def _line(self, text: Text) -> None:
        """Print one line; a terminal cuts it at its width, a file takes it whole."""
        if self._console.is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)


def tell(episode: Episode) -> Iterator[str]:
    """A recorded episode as plain lines: the task, one line per step, how it ended."""
    yield f"task  {one_line(episode.head.instruction)}"
    yield from map(_recorded, episode.steps)
    if episode.outcome is None:
        yield "not closed: it was broken off, or is being recorded"
    else:
        reward = episode.outcome.reward
        judged = "" if reward is None else f", reward {reward:g}"
        message = one_line(episode.outcome.message)
        yield f"{episode.outcome.end}{judged}" + (f": {message}" if message else "")


def one_line(text: str) -> str:
    """Text that is safe on a terminal: one line, no control characters."""
    joined = " ".join(text.split())
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in joined
    )


def _recorded(step: StepRecord) -> str:
    if step.error is not None:
        words = [f"unreadable: {one_line(step.error)}"]
    else:
        actions = step.screen_actions or step.actions
        done = ", ".join(describe(action) for action in actions)
        words = [one_line(step.thought), one_line(done)]
    words += [receipt.outcome.replace("_", " ") for receipt in step.receipts]
    shown = "  ".join(word for word in words if word)
    return f"{step.index + 1:>4}  {shown}  {step.timing.total_ms:.0f} ms"
