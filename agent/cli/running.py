"""Commands that let the agent work: `demo`, `run`."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.desk import Where, desk, page
from agent.cli.options import Device, Endpoint, Model, ProfileName, fail, policy_of, size_of


def demo(
    seed: Annotated[int, typer.Option(help="Which page of each task.")] = 7,
    model: Model = None,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
) -> None:
    """Solve three MiniWoB++ tasks in real Chromium on a throw-away display."""
    from rich.console import Console
    from rich.table import Table

    from agent.demo import demonstrate
    from agent.terminal import TerminalView

    console = Console(highlight=False)
    folder = out / time.strftime("demo-%Y%m%d-%H%M%S")
    with closing(policy_of(model, device=device)) as policy:
        shown = demonstrate(policy, folder, lambda: TerminalView(console), seed)
    table = Table("task", "reward", "steps", "episode", box=None, header_style="bold")
    for attempt in shown.attempts:
        reward, steps = f"{attempt.result.reward or 0:g}", str(attempt.result.steps)
        table.add_row(attempt.task, reward, steps, str(attempt.episode))
    console.print(table)
    typer.echo(f"report  {shown.report}")
    if not shown.solved:
        missed = ", ".join(attempt.task for attempt in shown.attempts if not attempt.solved)
        fail(f"not solved, say the pages: {missed}; the report shows why")


def run(
    task: Annotated[str, typer.Argument(help="What to do, in your words.")],
    display: Annotated[
        Where, typer.Option(help="A throw-away display, or your own desktop ($DISPLAY).")
    ] = Where.VIRTUAL,
    open_url: Annotated[
        str | None, typer.Option("--open", help="Page to open on the virtual display.")
    ] = None,
    browser: Annotated[
        str | None, typer.Option(help="Page to work in, in a Chromium without a display.")
    ] = None,
    cdp: Annotated[
        str | None,
        typer.Option(
            help="Work in a running Chromium instead: its address, http://127.0.0.1:9222."
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(help="Of the virtual display or of the page, in pixels.")
    ] = "640x480",
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
    device: Device = "cpu",
    rules: Annotated[
        Path | None, typer.Option(help="TOML file of what may run: allow, ask or deny.")
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(help='TOML file of name = "value" lines for {{secret:name}}.')
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="The most decisions.")] = 30,
    stuck: Annotated[
        int, typer.Option(min=1, help="End after so many equal actions on the same screen.")
    ] = 6,
    episode: Annotated[
        Path | None, typer.Option(help="Folder for the record. [default: a new one in runs/]")
    ] = None,
) -> None:
    """Work on a task, and record every step."""
    from actions.guard import Guard
    from actions.secrets import SecretStore
    from agent.episodes.format import End
    from agent.run import Patience, Task
    from agent.session import work
    from agent.terminal import TerminalView

    attended, shape = display is Where.REAL, size_of(size)
    if attended and open_url is not None:
        raise typer.BadParameter("--open needs --display virtual; on your desktop, open it first")
    in_page = browser is not None or cdp is not None
    if in_page and (attended or open_url is not None):
        raise typer.BadParameter("--browser and --cdp need no display; leave the other options out")
    folder = episode or Path("runs") / time.strftime("run-%Y%m%d-%H%M%S")
    guard, view = Guard.load(rules) if rules else Guard(), TerminalView()
    store, patience = SecretStore(secrets), Patience(warn=min(3, stuck), stuck=stuck)
    with ExitStack() as stack:
        policy = stack.enter_context(closing(policy_of(model, endpoint, profile, device)))
        screen, backend = stack.enter_context(
            page(browser, cdp, shape) if in_page else desk(display, open_url, shape)
        )
        result = work(
            Task(task, max_steps), policy, screen, backend, folder, view,
            attended=attended, guard=guard, consent=view.consent, secrets=store, patience=patience,
        )  # fmt: skip
    typer.echo(f"episode  {folder}")
    if result.outcome not in (End.FINISHED, End.DONE):
        fail(f"{result.outcome.replace('_', ' ')}: {result.message}")


def stop() -> None:
    """Stop every run of yours on this machine, and release what it holds."""
    from agent.stopping import report_stop

    report_stop()
