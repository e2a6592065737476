"""The command that records a person: `record`."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated

import typer


def record(
    task: Annotated[str, typer.Argument(help="What you are going to do, in your words.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the episode. [default: a new one in runs/]")
    ] = None,
    display: Annotated[
        str | None, typer.Option(help="X display such as :0. [default: $DISPLAY]")
    ] = None,
    private: Annotated[
        str, typer.Option(help="Keys that switch the recording off and on again.")
    ] = "ctrl+alt+p",
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long. [default: until Ctrl-C]")
    ] = None,
) -> None:
    """Record what you do with mouse and keyboard as an episode (X11); Ctrl-C ends it."""
    from actions.keys import canonical
    from agent.episodes.view import describe_all
    from agent.recording.recorder import Recorder
    from agent.signals import on_signals
    from vision.capture import Screen

    folder = out or Path("runs") / time.strftime("record-%Y%m%d-%H%M%S")
    keys, over = tuple(canonical(key) for key in private.split("+")), threading.Event()
    with Screen(display) as screen, on_signals(over.set):
        recorder = Recorder(
            screen, display, folder, task, keys,
            lambda deed: typer.echo("(withheld)" if deed.secret else describe_all(deed.actions)),
        )  # fmt: skip
        with recorder:
            if recorder.passwords.error is not None:
                typer.echo(f"Password fields are not recognised ({recorder.passwords.error}).")
            typer.echo(f"Recording. {private} switches it off and on, Ctrl-C ends it.")
            end = time.monotonic() + (seconds if seconds is not None else 1e9)
            while not (over.wait(0.1) or recorder.failed or time.monotonic() > end):
                pass
    typer.echo(f"episode  {folder}")
