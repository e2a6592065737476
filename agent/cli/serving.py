"""Commands that let others in: `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.options import Model


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    model: Model = None,
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
) -> None:
    """Serve the inference API and the console; tokens follow from EYEHAND_TOKEN."""
    import os

    from agent.policies.engine_chat import ChatPolicy
    from agent.policies.local import local_policy
    from server import app as http
    from server.audit import default_path
    from server.backend import Backend, PolicyChat
    from server.settings import ControlSettings, Settings

    control = ControlSettings(runs, allow_real_display)
    hosts, log = tuple(allow_host or ()), audit or default_path(os.environ)
    settings = Settings(host, port, certificate, key, insecure, hosts, log, control=control)
    policy = local_policy(model)
    if isinstance(policy, ChatPolicy):
        chat: Any = policy.chat
    else:
        chat = PolicyChat(policy, policy.engine.context)
    name = policy.describe().get("model", "eyehand")
    http.serve(Backend(name, policy, chat), settings)
