"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from agent.policies.base import Policy
    from agent.policies.named import NamedPolicy
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
    return named_policy(model, endpoint, profile, device).open()


def named_policy(
    model: Path | None,
    endpoint: str | None = None,
    profile: str | None = None,
    device: str = "cpu",
) -> NamedPolicy:
    """The options, once they were found to go together."""
    from agent.policies.named import NamedPolicy
    from agent.policies.profiles import profile_named

    if endpoint is None and profile is not None:
        raise typer.BadParameter("--profile belongs to --endpoint")
    if endpoint is not None and model is not None:
        raise typer.BadParameter("give either --model or --endpoint")
    try:
        if profile is not None:
            profile_named(profile)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return NamedPolicy(model, endpoint, profile, device)


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
