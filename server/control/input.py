"""A person's actions as clients send them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from actions.codec import CodecError, from_dict
from actions.space import Action
from server.errors import ApiError

Actions = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=64)]
"""JSON objects of `actions.codec`, points in screen pixels."""

_LONGEST = 10_000
_TURNS = 100


def read_actions(objects: list[dict[str, Any]]) -> list[Action]:
    """The actions that they describe.

    Raises:
        ApiError: 400, one of them describes none, or one that would take long.
    """
    for each in objects:
        if len(str(each.get("text", ""))) > _LONGEST:
            raise ApiError(400, f"expected at most {_LONGEST} characters to type", "actions")
        if isinstance(each.get("clicks"), int) and each["clicks"] > _TURNS:
            raise ApiError(400, f"expected at most {_TURNS} clicks of the wheel", "actions")
    try:
        return [from_dict(each) for each in objects]
    except CodecError as error:
        raise ApiError(400, str(error), "actions") from error
