"""The command group that all commands hang from."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

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
