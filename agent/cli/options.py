"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from agent.policies.base import Policy
    from vision.geometry import Size

Model = Annotated[
    Path | None,
    typer.Option("--model", help="Checkpoint folder. [default: the embedded model]"),
]
Device = Annotated[
    str, typer.Option("--device", help="Where a local model runs: cpu, cuda or mps.")
]
Endpoint = Annotated[
    str | None,
    typer.Option(help="An OpenAI-compatible server; its key is read from EYEHAND_API_KEY."),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", help="What the served model expects. [default: by its name]"),
]


def policy_of(
    model: Path | None,
    endpoint: str | None = None,
    profile: str | None = None,
    device: str = "cpu",
) -> Policy:
    """The policy that the options name."""
    if endpoint is None:
        if profile is not None:
            raise typer.BadParameter("--profile belongs to --endpoint")
        from agent.policies.local import local_policy

        return local_policy(model, device)
    if model is not None:
        raise typer.BadParameter("give either --model or --endpoint")
    from agent.policies.openai import OpenAIPolicy
    from agent.policies.profiles import profile_named

    try:
        chosen = profile_named(profile) if profile is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return OpenAIPolicy(endpoint, profile=chosen, api_key=api_key())


def api_key() -> str:
    """The key for an endpoint, from the environment."""
    return os.environ.get("EYEHAND_API_KEY") or "none"


def size_of(text: str) -> Size:
    """Read "640x480"."""
    from vision.geometry import Size

    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"expected a size such as 640x480, actually: {text!r}")
    return Size(int(width), int(height))


def fail(message: str) -> NoReturn:
    """End the command with one line on standard error and status 1."""
    typer.echo(f"eyehand: {message}", err=True)
    raise typer.Exit(1)
