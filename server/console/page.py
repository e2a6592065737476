"""The files of the console. They hold no data, so they are served without a token."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

ROOT = "/console/"
_KINDS = {
    "index.html": "text/html",
    "console.css": "text/css",
    "app.js": "text/javascript",
    "link.js": "text/javascript",
    "screen.js": "text/javascript",
    "hands.js": "text/javascript",
    "timeline.js": "text/javascript",
    "player.js": "text/javascript",
    "parts.js": "text/javascript",
    "shared.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

HEADERS = {
    # Everything comes from here, nothing is inline, and nobody may frame the stop button.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}

PUBLIC = frozenset({"/", ROOT, *(ROOT + name for name in _KINDS)})
"""Paths that may be read without a token."""


def place(name: str) -> Traversable:
    """Where a file of the console lies; one belongs to the reports of episodes as well."""
    if name == "shared.js":
        return files("agent.episodes") / "templates" / name
    return files("server.console") / "static" / name


def router() -> APIRouter:
    """The page and its files."""
    known = {name: place(name).read_bytes() for name in _KINDS}
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse(ROOT)

    def serve(path: str, name: str) -> None:
        @routes.get(path)
        async def file() -> Response:
            kind = f"{_KINDS[name]}; charset=utf-8"
            return Response(known[name], headers={**HEADERS, "Content-Type": kind})

    serve(ROOT, "index.html")
    for each in _KINDS:
        serve(ROOT + each, each)
    return routes
