"""Commands on recorded episodes: `replay`, `episode`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import Endpoint, Model, ProfileName, policy_of

if TYPE_CHECKING:
    from agent.policies.base import Policy

episodes = typer.Typer(help="Look into recorded episodes.", no_args_is_help=True)

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A recorded episode: its folder, or a packed one.")
]
_FORMATS = "uitars, llamafactory, agentnet, osworld, parquet or lerobot."
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; must not exist.")]


def replay(
    folder: Folder,
    agent: Annotated[
        bool, typer.Option("--agent", help="Let a model decide every step again.")
    ] = False,
    environment: Annotated[
        bool, typer.Option("--environment", help="Perform the actions on a live application.")
    ] = False,
    run: Annotated[str | None, typer.Option(help="Program to start for --environment.")] = None,
    open_url: Annotated[
        str | None, typer.Option("--open", help="Page to open for --environment.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a screen that may differ.")
    ] = 0.02,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Replay an episode; fail when anything differs.

    Loop replay (the default) takes the model's words through parser, coordinates, guard and hands.
    In an environment replay the model is only asked where a target is that changed its looks.
    """
    from contextlib import closing

    from agent.episodes.agent_replay import agent_replay
    from agent.episodes.replay import replay as loop_replay

    if agent and environment:
        raise typer.BadParameter("give either --agent or --environment")
    report: Any
    if agent:
        with closing(policy_of(model, endpoint, profile)) as policy:
            report = agent_replay(folder, policy)
    elif environment:
        asked = model, endpoint, profile
        report = _on_a_display(folder, run, open_url, tolerance, lambda: policy_of(*asked))
    else:
        report = loop_replay(folder)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


def _on_a_display(
    folder: Path, run: str | None, url: str | None, tolerance: float, guide: Callable[[], Policy]
) -> Any:
    """Replay on a virtual display of the recorded size, with a program or a page on it."""
    from contextlib import ExitStack, closing
    from functools import cache

    from actions.backends.x11 import X11Backend
    from actions.executor import Executor
    from agent.environments.browser import Browser
    from agent.environments.display import VirtualDisplay
    from agent.environments.program import program
    from agent.episodes.environment_replay import EnvironmentReplay, layout
    from agent.episodes.reader import Episode
    from vision.capture import Screen

    if (run is None) == (url is None):
        raise typer.BadParameter("--environment needs either --run PROGRAM or --open URL")
    recorded = Episode.open(folder)
    size, region = layout(recorded)
    with ExitStack() as stack:
        display = stack.enter_context(VirtualDisplay(size))
        if run is not None:
            stack.enter_context(program(run, display.name, display.env))
        else:
            browser = stack.enter_context(Browser(display))
            browser.call(lambda page: page.goto(url or ""))
        screen = stack.enter_context(Screen(display.name, region))
        executor = Executor(stack.enter_context(X11Backend(display.name)), screen, fail_safe=False)
        return EnvironmentReplay(
            recorded, executor, screen, tolerance=tolerance,
            guide=cache(lambda: stack.enter_context(closing(guide()))),  # loaded once
        ).run()  # fmt: skip


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
def export(
    form: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help=_FORMATS),
    ],
    out: Out,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Episodes.")],
) -> None:
    """Write episodes for other people's trainers and scorers."""
    from agent.exports import EXPORTS
    from agent.exports import export as export_episodes

    if form not in EXPORTS:
        raise typer.BadParameter(f"expected one of {', '.join(EXPORTS)}, actually: {form!r}")
    left_out = export_episodes(folders, form, out)
    typer.echo(f"{form}  {out}" + (f" ({left_out} steps left out)" if left_out else ""))


@episodes.command("import")
def import_(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=_FORMATS)],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The file, or its folder.")],
    out: Out,
) -> None:
    """Make episodes of other people's trajectories."""
    from agent.imports import IMPORTS, import_episodes

    if form not in IMPORTS:
        raise typer.BadParameter(f"expected one of {', '.join(IMPORTS)}, actually: {form!r}")
    for path in import_episodes(source, form, out):
        typer.echo(f"episode  {path}")


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
