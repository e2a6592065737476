"""Commands that let others in: `serve`, `mcp`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.desk import Where, desk
from agent.cli.options import Device, Endpoint, Model, ProfileName, policy_of, size_of

if TYPE_CHECKING:
    from agent.policies.base import Policy


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    model: Model = None,
    device: Device = "cpu",
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate chain (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain HTTP on a public address.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="One more Host to answer to, as NAME or NAME:PORT; may be repeated."),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            help="The append-only audit log. [default: eyehand/audit.jsonl in XDG_STATE_HOME]"
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(help="Where sessions are recorded, and what the console shows.")
    ] = Path("runs"),
    allow_real_display: Annotated[
        bool, typer.Option("--allow-real-display", help="Allow sessions on your own desktop.")
    ] = False,
    secrets: Annotated[
        Path | None, typer.Option(help='TOML file of name = "value" lines for {{secret:name}}.')
    ] = None,
) -> None:
    """Serve the inference API and the console; tokens follow from EYEHAND_TOKEN."""
    import os

    from actions.secrets import SecretStore
    from agent.policies.engine_chat import ChatPolicy
    from agent.policies.local import local_policy
    from server import app as http
    from server.audit import default_path
    from server.backend import Backend, PolicyChat
    from server.settings import ControlSettings, Settings

    control = ControlSettings(runs, allow_real_display, secrets=SecretStore(secrets))
    hosts, log = tuple(allow_host or ()), audit or default_path(os.environ)
    settings = Settings(host, port, certificate, key, insecure, hosts, log, control=control)
    policy = local_policy(model, device)
    if isinstance(policy, ChatPolicy):
        chat: Any = policy.chat
    else:
        chat = PolicyChat(policy, policy.engine.context)
    name = policy.describe().get("model", "eyehand")
    http.serve(Backend(name, policy, chat), settings)


def mcp(
    display: Annotated[
        Where, typer.Option(help="A throw-away display, or your own desktop ($DISPLAY).")
    ] = Where.VIRTUAL,
    open_url: Annotated[
        str | None, typer.Option("--open", help="Page to open on the virtual display.")
    ] = None,
    size: Annotated[str, typer.Option(help="Of the virtual display, in pixels.")] = "1280x800",
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
    rules: Annotated[
        Path | None, typer.Option(help="TOML file of what may run: allow, ask or deny.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where recordings are kept.")] = Path("runs"),
) -> None:
    """Offer screenshot, act and run_task to an MCP client on standard input and output."""
    from contextlib import ExitStack, closing
    from functools import cache

    from actions.guard import Guard
    from server.mcp import Workplace, serve

    attended = display is Where.REAL
    if attended and open_url is not None:
        raise typer.BadParameter("--open needs --display virtual; on your desktop, open it first")
    guard = Guard.load(rules) if rules else Guard()
    with ExitStack() as stack:

        @cache
        def policy() -> Policy:
            return stack.enter_context(closing(policy_of(model, endpoint, profile)))

        screen, backend = stack.enter_context(desk(display, open_url, size_of(size)))
        serve(Workplace(policy, screen, backend, guard, out, attended))
