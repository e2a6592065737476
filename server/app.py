"""The application: middleware, endpoints, and how it is served.

Journal -> Linger -> Guard -> BodyLimit -> endpoints -> ModelQueue -> Policy or ChatModel
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from server import act, chat, errors, logs, operations, responses
from server.access import Access, require
from server.audit import Audit
from server.backend import Backend
from server.body import BodyLimit
from server.console import episodes, page
from server.control import routes
from server.control import socket as live
from server.control.desk import OpenDesk, open_desk
from server.control.run import Model
from server.control.sessions import Sessions
from server.frames import FrameCache
from server.journal import Journal
from server.linger import Linger
from server.metrics import Metrics
from server.protocol import WebSockets, with_deadline
from server.queue import ModelQueue
from server.security import Guard
from server.service import Service
from server.settings import Settings, SettingsError
from server.tokens import Tokens

KEEP_ALIVE = 90
"""Seconds that an idle connection stays open; UI-TARS clients fail below 75."""

MESSAGE = 65_536
"""Most bytes of a message that a WebSocket client sends."""


def create_app(
    backend: Backend, settings: Settings, tokens: Tokens, desks: OpenDesk = open_desk
) -> FastAPI:
    """The application for one loaded model; it closes the policy when it ends."""
    frames, audit = FrameCache(settings.images.cached), Audit(settings.audit)
    queue = ModelQueue(settings.queue, backend.parallel)
    service = Service(backend, queue, settings, Metrics(), frames, audit)
    service.metrics.watch_queue(lambda: service.queue.inside)
    model = Model(backend.policy, service.queue, settings.control.secrets)
    sessions = Sessions(model, settings.control, desks)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        audit.note("started", address=settings.host, tls=settings.tls)
        try:
            yield
        finally:
            sessions.close_all()
            service.queue.close()
            backend.policy.close()
            audit.note("stopped")
            audit.close()

    app = FastAPI(
        title="Eyehand",
        version=version("eyehand"),
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses={"default": {"model": errors.ErrorBody, "description": "What went wrong"}},
        middleware=[
            Middleware(Journal, metrics=service.metrics, audit=audit),
            Middleware(Linger),
            Middleware(Guard, tokens=tokens, settings=settings, public=page.PUBLIC),
            Middleware(BodyLimit, limits=settings.body),
        ],
    )
    errors.install(app)
    app.include_router(operations.router(service))
    for room in (chat, responses, act):
        app.include_router(room.router(service), dependencies=[require(Access.INFER)])
    for control in (routes.routes, live.routes):
        app.include_router(control)
    app.include_router(episodes.router(settings.control.runs))
    app.include_router(page.router())
    app.state.sessions = sessions
    return app


class Server(uvicorn.Server):
    """uvicorn, told to end: first of all nothing moves any more, then requests are finished."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all sessions, then as usual."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        await anyio.to_thread.run_sync(app.state.sessions.close_all)
        await super().shutdown(sockets)


def bind(settings: Settings) -> socket.socket:
    """A socket at the address of the settings.

    Raises:
        SettingsError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror}): choose "
            "another port, or stop what uses this one"
        ) from error
    # Connections inherit it. asyncio leaves it out for a listener that was made outside, and every
    # answer would then wait 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def prepare(
    backend: Backend, settings: Settings, tokens: Tokens, desks: OpenDesk = open_desk
) -> uvicorn.Server:
    """The uvicorn server, not started; run it with `sockets=[bind(settings)]`.

    Raises:
        SettingsError: the certificate or its key cannot be used.
    """
    config = listening(create_app(backend, settings, tokens, desks), settings)
    try:
        config.load()
    except OSError as error:
        raise SettingsError(
            f"cannot use the certificate {settings.certificate} with the key {settings.key} "
            f"({error.strerror}): expected two PEM files that belong together"
        ) from error
    return Server(config)


def listening(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves an application."""
    return uvicorn.Config(
        app,
        http=with_deadline(settings.head),
        ws=WebSockets,
        ws_max_size=MESSAGE,
        ws_per_message_deflate=False,  # a bomb costs its sender nothing
        access_log=False,  # it writes the query, in which a client may have put its token
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=settings.drain,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )


def serve(backend: Backend, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are finished first.

    For the main thread of a process that does nothing else.

    Raises:
        SettingsError: the address, the token, the certificate or the audit log cannot be used.
    """
    logs.to_stderr()
    # uvicorn sends itself the signal again when it is done; it must not kill us before `finally`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tokens = Tokens.obtain(environ)
    try:
        with bind(settings) as listener, suppress(KeyboardInterrupt):
            server = prepare(backend, settings, tokens)
            spare_the_collector()
            _announce(listener, settings, tokens)
            server.run(sockets=[listener])
    finally:
        tokens.forget()


def spare_the_collector() -> None:
    """Let the garbage collector never again look at what exists now.

    The libraries and the model are some hundred thousand objects that live as long as the process.
    Looking through them held up everything for over 100 ms, even a stop in the middle of a drag.
    """
    gc.collect()
    gc.freeze()


def _announce(listener: socket.socket, settings: Settings, tokens: Tokens) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if settings.tls else 'http'}://{shown}:{port}"
    sys.stderr.write(f"Eyehand listens on {url}\nIts tokens are in the folder {tokens.folder}\n")
