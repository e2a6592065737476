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
