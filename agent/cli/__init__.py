"""The command line, and the one place where all the rooms are put together.

Commands import what they need when they run, so that `eyehand --help` answers at once. An error
that one of our own packages raises, and one of the operating system, is an expected failure: one
line on standard error and exit status 1. Anything else is a bug and keeps its traceback.
"""

import typer

from agent.cli import checking, episodes, learning, models, recording, running, serving
from agent.cli.group import Plain

app = typer.Typer(
    cls=Plain,
    help="A GUI agent that you own: it sees the screen as pixels and moves mouse and keyboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(learning.evaluations, name="eval")
app.add_typer(episodes.episodes, name="episode")
for command in (
    running.demo,
    running.run,
    running.stop,
    serving.serve,
    serving.mcp,
    learning.train,
    learning.learn,
    models.quantise,
    episodes.replay,
    recording.record,
    checking.doctor,
):
    app.command()(command)
