"""The command line, and the one place where all the rooms are put together.

Commands import what they need when they run, so that `eyehand --help` answers at once. An error
that one of our own packages raises, and one of the operating system, is an expected failure: one
line on standard error and exit status 1. Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from actions.backends.base import Backend
    from agent.policies.base import Policy
    from vision.capture import Screen
    from vision.geometry import Size

OURS = ("agent", "actions", "vision", "server")


class Plain(TyperGroup):
    """Commands whose expected failures are one clear line, and which end in order on SIGTERM."""

    def invoke(self, ctx: Any) -> Any:  # typer brings its own kind of click context
        """Run the command."""
        from agent.signals import keyboard_interrupt, on_signals

        try:
            with on_signals(keyboard_interrupt):
                return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, OSError) or type(error).__module__.split(".")[0] in OURS:
                typer.echo(f"eyehand: {error}", err=True)
                raise typer.Exit(1) from error
            raise


app = typer.Typer(
    cls=Plain,
    help="A GUI agent that you own: it sees the screen as pixels and moves mouse and keyboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
eval_app = typer.Typer(help="Measure how often a model solves tasks.", no_args_is_help=True)
episode_app = typer.Typer(help="Look into recorded episodes.", no_args_is_help=True)
app.add_typer(eval_app, name="eval")
app.add_typer(episode_app, name="episode")


class Where(StrEnum):
    """Which display the agent works on."""

    VIRTUAL = "virtual"
    REAL = "real"


Model = Annotated[
    Path | None,
    typer.Option("--model", help="Checkpoint folder. [default: the embedded model]"),
]
Endpoint = Annotated[
    str | None,
    typer.Option(help="An OpenAI-compatible server; its key is read from EYEHAND_API_KEY."),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", help="What the served model expects. [default: by its name]"),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A recorded episode.")]


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Which page of each task.")] = 7,
    model: Model = None,
    out: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
) -> None:
    """Solve three MiniWoB++ tasks in real Chromium on a throw-away display."""
    from rich.console import Console
    from rich.table import Table

    from agent.demo import demonstrate
    from agent.terminal import TerminalView

    console = Console(highlight=False)
    folder = out / time.strftime("demo-%Y%m%d-%H%M%S")
    with closing(_policy(model)) as policy:
        shown = demonstrate(policy, folder, lambda: TerminalView(console), seed)
    table = Table("task", "reward", "steps", "episode", box=None, header_style="bold")
    for attempt in shown.attempts:
        reward, steps = f"{attempt.result.reward or 0:g}", str(attempt.result.steps)
        table.add_row(attempt.task, reward, steps, str(attempt.episode))
    console.print(table)
    typer.echo(f"report  {shown.report}")
    if not shown.solved:
        missed = ", ".join(attempt.task for attempt in shown.attempts if not attempt.solved)
        _fail(f"not solved, say the pages: {missed}; the report shows why")


@app.command()
def run(
    task: Annotated[str, typer.Argument(help="What to do, in your words.")],
    display: Annotated[
        Where, typer.Option(help="A throw-away display, or your own desktop ($DISPLAY).")
    ] = Where.VIRTUAL,
    open_url: Annotated[
        str | None, typer.Option("--open", help="Page to open on the virtual display.")
    ] = None,
    size: Annotated[str, typer.Option(help="Of the virtual display, in pixels.")] = "640x480",
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
    rules: Annotated[
        Path | None, typer.Option(help="TOML file of what may run: allow, ask or deny.")
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="The most decisions.")] = 30,
    episode: Annotated[
        Path | None, typer.Option(help="Folder for the record. [default: a new one in runs/]")
    ] = None,
) -> None:
    """Work on a task, and record every step."""
    from actions.guard import Guard
    from agent.episodes.format import End
    from agent.run import Task
    from agent.session import work
    from agent.terminal import TerminalView

    attended, shape = display is Where.REAL, _size(size)
    if attended and open_url is not None:
        raise typer.BadParameter("--open needs --display virtual; on your desktop, open it first")
    folder = episode or Path("runs") / time.strftime("run-%Y%m%d-%H%M%S")
    guard, view = Guard.load(rules) if rules else Guard(), TerminalView()
    with ExitStack() as stack:
        policy = stack.enter_context(closing(_policy(model, endpoint, profile)))
        screen, backend = stack.enter_context(_desk(display, open_url, shape))
        result = work(
            Task(task, max_steps), policy, screen, backend, folder, view,
            attended=attended, guard=guard, consent=view.consent,
        )  # fmt: skip
    typer.echo(f"episode  {folder}")
    if result.outcome not in (End.FINISHED, End.DONE):
        _fail(f"{result.outcome.replace('_', ' ')}: {result.message}")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    model: Model = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate chain (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain HTTP on a public address.")
    ] = False,
) -> None:
    """Serve the inference API; its token comes from EYEHAND_TOKEN, else a file is named."""
    from agent.policies.engine_chat import ChatPolicy
    from agent.policies.local import local_policy
    from server import app as http
    from server.backend import Backend, PolicyChat
    from server.settings import Settings

    settings = Settings(host, port, certificate, key, insecure)
    policy = local_policy(model)
    if isinstance(policy, ChatPolicy):
        chat: Any = policy.chat
    else:
        chat = PolicyChat(policy, policy.engine.context)
    name = policy.describe().get("model", "eyehand")
    http.serve(Backend(name, policy, chat), settings)


@eval_app.command()
def miniwob(
    tasks: Annotated[str, typer.Option(help="Names of tasks, separated by commas.")],
    seeds: Annotated[int, typer.Option(min=1, help="Pages per task.")] = 100,
    first_seed: Annotated[
        int | None, typer.Option(help="The first page. [default: that of Pix2Act]")
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="The most decisions per page.")] = 5,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this file.")
    ] = None,
    failures: Annotated[
        Path | None, typer.Option(help="Keep the episodes of unsolved pages in this folder.")
    ] = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often MiniWoB++ tasks are solved, next to random clicks."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from agent.learning.evaluate import FIRST_SEED, evaluate

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    first = FIRST_SEED if first_seed is None else first_seed
    errors = Console(stderr=True)
    with (
        closing(_policy(model, endpoint, profile)) as policy,
        Progress(console=errors, disable=not errors.is_terminal) as progress,
    ):
        bar = progress.add_task("pages", total=len(names) * seeds)
        table = evaluate(
            policy, names, seeds, first, max_steps, failures=failures,
            progress=lambda _: progress.advance(bar),
        )  # fmt: skip
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(table.to_json(), indent=1), "utf-8")
    Console(highlight=False).print(table.to_rich())


@app.command()
def train(
    stage: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints. [default: runs/STAGE]")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of harvested pages.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
) -> None:
    """Train a stage of the embedded model; run it again to go on where it stopped."""
    from agent.learning.stage import run_stage

    folder = out or Path("runs") / Path(stage).stem
    for name, value in run_stage(stage, folder, data, steps).items():
        typer.echo(f"{name}  {value:.4f}")
    typer.echo(f"curves  {folder / 'curves.png'}")
    typer.echo(f"model   {folder / 'release'}")


@app.command()
def replay(folder: Folder) -> None:
    """Replay an episode through parser, coordinates and hands; fail when anything differs."""
    from agent.episodes.replay import replay as replay_episode

    report = replay_episode(folder)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


@episode_app.command()
def verify(folder: Folder) -> None:
    """Check every byte of an episode."""
    from agent.episodes.verify import verify as verify_episode

    report = verify_episode(folder)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


@episode_app.command()
def show(folder: Folder) -> None:
    """Print an episode step by step."""
    from agent.episodes.reader import Episode
    from agent.terminal import tell

    for line in tell(Episode.open(folder)):
        typer.echo(line)


@episode_app.command()
def report(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="The HTML file. [default: DIR/report.html]")
    ] = None,
) -> None:
    """Write one HTML file that shows an episode, offline."""
    from agent.episodes.report import write_report

    typer.echo(f"report  {write_report(folder, out or folder / 'report.html')}")


@app.command()
def doctor(endpoint: Endpoint = None) -> None:
    """Say what this machine lacks, and how to get it."""
    from itertools import chain

    from agent.doctor import Machine, examine, examine_endpoint, report

    asked = examine_endpoint(endpoint, _api_key()) if endpoint else ()
    if not report(chain(examine(Machine()), asked)):
        _fail("something that is needed is missing; the table says how to get it")


def _policy(model: Path | None, endpoint: str | None = None, profile: str | None = None) -> Policy:
    """The policy that the options name."""
    if endpoint is None:
        if profile is not None:
            raise typer.BadParameter("--profile belongs to --endpoint")
        from agent.policies.local import local_policy

        return local_policy(model)
    if model is not None:
        raise typer.BadParameter("give either --model or --endpoint")
    from agent.policies.openai import OpenAIPolicy
    from agent.policies.profiles import profile_named

    try:
        chosen = profile_named(profile) if profile is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return OpenAIPolicy(endpoint, profile=chosen, api_key=_api_key())


def _api_key() -> str:
    return os.environ.get("EYEHAND_API_KEY") or "none"


@contextmanager
def _desk(where: Where, url: str | None, size: Size) -> Iterator[tuple[Screen, Backend]]:
    """A screen to look at and the hands on it."""
    from agent.environments.browser import Browser
    from agent.environments.display import VirtualDisplay
    from vision.capture import Screen

    with ExitStack() as stack:
        name = None
        if where is Where.VIRTUAL:
            virtual = stack.enter_context(VirtualDisplay(size))
            name = virtual.name
            if url is not None:
                browser = stack.enter_context(Browser(virtual))
                browser.call(lambda page: page.goto(url))
        screen = stack.enter_context(Screen(name))
        yield screen, stack.enter_context(_hands(name))


def _hands(display: str | None) -> Backend:
    """The backend for an X display, or for the desktop of a system that has none."""
    if sys.platform == "linux":
        from actions.backends.x11 import X11Backend

        return X11Backend(display)
    from actions.backends.desktop import DesktopBackend

    return DesktopBackend()


def _size(text: str) -> Size:
    """Read "640x480"."""
    from vision.geometry import Size

    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"expected a size such as 640x480, actually: {text!r}")
    return Size(int(width), int(height))


def _fail(message: str) -> None:
    typer.echo(f"eyehand: {message}", err=True)
    raise typer.Exit(1)
