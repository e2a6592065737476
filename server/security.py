"""Who may talk to the server: Host, Origin, token and content type, before any body is read.

A GUI agent's own browser runs on the same machine, so neither "it comes from loopback" nor "its
Origin is localhost" proves anything. Only the bearer token does; the other checks stop web pages
before they can even guess.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ApiError, response_to
from server.settings import Settings
from server.token import Token

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  # named to leave them out of the allowed hosts
WITH_BODY = ("POST", "PUT", "PATCH")


class Guard:
    """ASGI middleware that lets only trusted requests through."""

    def __init__(self, app: ASGIApp, token: Token, settings: Settings) -> None:
        self._app = app
        self._token = token
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on untouched."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except ApiError as error:
            await response_to(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        if scope["type"] != "http":
            raise _refusal(403, f"this server speaks HTTP only, actually: {scope['type']}")
        headers = Headers(scope=scope)
        host = self._host(headers, scope)
        _check_origin(headers, f"{scope['scheme']}://{host}")
        self._check_token(headers)
        if scope["method"] in WITH_BODY:
            _check_content(headers)

    def _host(self, headers: Headers, scope: Scope) -> str:
        values = headers.getlist("host")
        if len(values) != 1 or not values[0]:
            raise _refusal(400, f"expected one Host header that is not empty, came: {len(values)}")
        if values[0].lower() not in self._allowed_hosts(scope):
            raise _refusal(421, "this Host is not served here; allow it in the server's settings")
        return values[0].lower()

    def _allowed_hosts(self, scope: Scope) -> set[str]:
        # The socket's own address gives the port, so a free port chosen by the system works too.
        port = scope["server"][1]
        names = ["localhost", "127.0.0.1", "[::1]"]
        if self._settings.host not in WILDCARDS:
            bound = self._settings.host
            names.append(f"[{bound}]" if ":" in bound else bound)
        allowed = {f"{name}:{port}".lower() for name in names}
        if port == (443 if self._settings.tls else 80):
            allowed.update(name.lower() for name in names)
        return allowed | {host.lower() for host in self._settings.hosts}

    def _check_token(self, headers: Headers) -> None:
        values = headers.getlist("authorization")
        scheme, _, shown = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not self._token.matches(shown.strip().encode("latin-1")):
            raise _refusal(
                401,
                "expected the header 'Authorization: Bearer TOKEN' with this server's token; it is "
                "EYEHAND_TOKEN, or in the file that the server named when it started",
                {"WWW-Authenticate": "Bearer"},
            )


def _check_origin(headers: Headers, own: str) -> None:
    """Browsers say where a request comes from; programs do not, and need not."""
    if any(origin.lower() != own for origin in headers.getlist("origin")):
        raise _refusal(403, "requests from pages of another origin are not allowed")
    if any(site not in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
        raise _refusal(403, "requests from pages of another site are not allowed")


def _check_content(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _refusal(415, f"expected Content-Type: application/json, came: {kind[:80]!r}")
    if "content-encoding" in headers:
        raise _refusal(415, "compressed bodies are not accepted; leave out Content-Encoding")


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> ApiError:
    # The body was not read, so the connection cannot be used again.
    return ApiError(status, message, headers={"Connection": "close", **(headers or {})})
