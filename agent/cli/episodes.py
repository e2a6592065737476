"""Commands on recorded episodes: `replay`, `episode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

episodes = typer.Typer(help="Look into recorded episodes.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A recorded episode.")]


def replay(folder: Folder) -> None:
    """Replay an episode through parser, coordinates and hands; fail when anything differs."""
    from agent.episodes.replay import replay as replay_episode

    report = replay_episode(folder)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


@episodes.command()
def verify(folder: Folder) -> None:
    """Check every byte of an episode."""
    from agent.episodes.verify import verify as verify_episode

    report = verify_episode(folder)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


@episodes.command()
def show(folder: Folder) -> None:
    """Print an episode step by step."""
    from agent.episodes.reader import Episode
    from agent.terminal import tell

    for line in tell(Episode.open(folder)):
        typer.echo(line)


@episodes.command()
def report(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="The HTML file. [default: DIR/report.html]")
    ] = None,
) -> None:
    """Write one HTML file that shows an episode, offline."""
    from agent.episodes.report import write_report

    typer.echo(f"report  {write_report(folder, out or folder / 'report.html')}")
