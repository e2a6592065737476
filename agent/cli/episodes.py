"""Commands on recorded episodes: `replay`, `episode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

episodes = typer.Typer(help="Look into recorded episodes.", no_args_is_help=True)

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A recorded episode: its folder, or a packed one.")
]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; must not exist.")]


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
def pack(folder: Folder, out: Out) -> None:
    """Put an episode into one file, for sharing."""
    from agent.episodes.pack import pack as pack_episode

    typer.echo(f"packed  {pack_episode(folder, out)}")


@episodes.command()
def unpack(folder: Folder, out: Out) -> None:
    """Make a folder of a packed episode."""
    from agent.episodes.pack import unpack as unpack_episode

    typer.echo(f"episode  {unpack_episode(folder, out)}")


@episodes.command()
def fork(
    folder: Folder,
    out: Out,
    at: Annotated[int, typer.Option(min=0, help="How many steps to keep.")],
) -> None:
    """Begin a new episode with the first steps of another."""
    from agent.episodes.pack import fork as fork_episode

    typer.echo(f"episode  {fork_episode(folder, at, out)}")


@episodes.command()
def diff(
    folder: Folder,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another episode.")],
) -> None:
    """Print what two episodes differ in (- first, + second); fail when there is anything."""
    from agent.episodes.diff import diff as diff_episodes

    differences = diff_episodes(folder, other)
    for difference in differences:
        typer.echo(str(difference))
    if differences:
        raise typer.Exit(1)


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
