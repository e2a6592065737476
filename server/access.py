"""What a token allows: the scopes, and the dependency that wants one."""

from __future__ import annotations

from enum import Flag, auto
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from server.errors import ApiError


class Access(Flag):
    """Scopes. They come from the token alone; nothing that a client says adds one."""

    INFER = auto()
    """Ask the model."""
    WATCH = auto()
    """See the screen of a session."""
    CONTROL = auto()
    """Start, drive and stop sessions."""


GRANTS = {
    "all": Access.INFER | Access.WATCH | Access.CONTROL,
    "infer": Access.INFER,
    "watch": Access.WATCH,
    "control": Access.WATCH | Access.CONTROL,
}
"""Name of a token -> what it allows; whoever drives also sees."""


def require(access: Access) -> Any:
    """A FastAPI dependency for routes and routers, WebSockets included: 403 without the scope.

    Every route except the operations' states one; a test walks through all of them.
    """

    def check(connection: HTTPConnection) -> None:
        name = token_name(connection)
        if access not in GRANTS.get(name, Access(0)):
            wanted = " and ".join(str(each.name).lower() for each in access)
            raise ApiError(403, f"the token {name!r} does not have the scope: {wanted}")

    return Depends(check)


def token_name(connection: HTTPConnection) -> str:
    """The name in `GRANTS` of the token that was shown; "-" where none is needed."""
    name: str = connection.scope.get("state", {}).get("token", "-")
    return name
