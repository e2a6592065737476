"""Who may talk to the server: Host, Origin, token, rate and content type, before any body is read.

A GUI agent's own browser runs on the same machine, so neither "it comes from loopback" nor "its
Origin is localhost" proves anything. Only the bearer token does; the other checks stop web pages
before they can even guess. Wrong tokens lock nobody out: on loopback all clients have one address,
and a page could lock out its own user; 256 bits need no such help.
"""

from __future__ import annotations

import math

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.access import GRANTS
from server.errors import ApiError, response_to
from server.rate import Bucket
from server.settings import Settings
from server.tokens import Tokens

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  # named to leave them out of the allowed hosts
WITH_BODY = ("POST", "PUT", "PATCH")
SUBPROTOCOL = "eyehand"
"""What a WebSocket is accepted with."""
TOKEN_PROTOCOL = "eyehand.token."  # noqa: S105  # what stands in front of a token
"""A WebSocket client offers `SUBPROTOCOL` and this + its token: browsers cannot set other headers
there, and query strings end up in logs."""


class Guard:
    """ASGI middleware that lets only trusted requests and WebSockets through.

    A WebSocket is refused with a status and a body, before it is accepted. What goes through has
    the name of its token in `scope["state"]["token"]`.

    Args:
        app: what is guarded.
        tokens: what a client must show one of.
        settings: the server's.
        public: paths that may be read (GET, HEAD) without a token: the files of the console.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Tokens,
        settings: Settings,
        public: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._settings = settings
        self._public = public
        self._rates = {name: Bucket(settings.rate, settings.burst) for name in GRANTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with the name of its token."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            scope.setdefault("state", {})["token"] = self.admit(scope)
        except ApiError as error:
            await response_to(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def admit(self, scope: Scope) -> str:
        """The name of the token that a request or WebSocket shows, "-" where none is needed.

        Raises:
            ApiError: 400, 401, 403, 415, 421 or 429; nothing was read or accepted yet.
        """
        headers = Headers(scope=scope)
        host = self._host(headers, scope)
        secure = scope["scheme"] in ("https", "wss")
        _check_origin(headers, f"{'https' if secure else 'http'}://{host}")
        socket = scope["type"] == "websocket"
        if not socket and scope["method"] in ("GET", "HEAD") and scope["path"] in self._public:
            return "-"
        name = self._known(_offered(headers) if socket else _bearer(headers))
        self._check_rate(name)
        if not socket and scope["method"] in WITH_BODY:
            _check_content(headers)
        return name

    def _host(self, headers: Headers, scope: Scope) -> str:
        values = headers.getlist("host")
        if len(values) != 1 or not values[0]:
            raise _refusal(400, f"expected one Host header that is not empty, came: {len(values)}")
        if values[0].lower() not in self._allowed_hosts(scope):
            raise _refusal(421, "this Host is not served here; allow it with --allow-host")
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

    def _known(self, shown: str) -> str:
        name = self._tokens.name_of(shown.encode("latin-1"))
        if name is None:
            raise _refusal(
                401,
                "expected the header 'Authorization: Bearer TOKEN' with a token of this server "
                f"(a WebSocket offers the subprotocols {SUBPROTOCOL} and {TOKEN_PROTOCOL}TOKEN); "
                "it is EYEHAND_TOKEN, or in the folder that the server named when it started",
                {"WWW-Authenticate": "Bearer"},
            )
        return name

    def _check_rate(self, name: str) -> None:
        seconds = self._rates[name].take()
        if seconds > 0:
            rate = self._settings.rate
            message = f"more than {rate:g} requests a second with this token: slow down"
            raise _refusal(429, message, {"Retry-After": str(math.ceil(seconds))})


def _bearer(headers: Headers) -> str:
    values = headers.getlist("authorization")
    scheme, _, shown = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _offered(headers: Headers) -> str:
    """The token among the subprotocols, which must also hold the one that can be accepted."""
    offers = [
        offer.strip() for offer in ",".join(headers.getlist("sec-websocket-protocol")).split(",")
    ]
    shown = [
        offer.removeprefix(TOKEN_PROTOCOL) for offer in offers if offer.startswith(TOKEN_PROTOCOL)
    ]
    return shown[0] if len(shown) == 1 and SUBPROTOCOL in offers else ""


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
