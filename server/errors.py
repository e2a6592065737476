"""Errors as clients see them: `{"error": {"type", "message", "param"}}` with the right status.

HTTPException (starlette)
  ApiError        everything that this server itself answers with
PolicyError (agent)
  PromptTooLong   400: the client sent too much
  (others)        503: the model cannot answer now
RequestValidationError (fastapi)  400: all faults of a body at once
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from agent.policies.base import PolicyError
from agent.policies.chat import PromptTooLong

KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "method_not_allowed_error",
    408: "timeout_error",
    413: "request_too_large_error",
    429: "rate_limit_error",
    499: "client_gone_error",
    500: "server_error",
    502: "model_output_error",
    503: "model_error",
}
"""Status -> the error's `type`; every other status is an `invalid_request_error`."""

SHOWN = 20
"""Most faults of a body that one message lists."""


class ErrorDetail(BaseModel):
    """What went wrong; `param` names the part of the request, null when it is not one part."""

    type: str
    message: str
    param: str | None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class ApiError(HTTPException):
    """An error that ends a request with this status, message and, if it has one, parameter."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.param = param


def body_of(error: HTTPException | PolicyError) -> ErrorBody:
    """The body for an error, also as an event of a stream that has begun."""
    status = status_of(error)
    message = error.detail if isinstance(error, HTTPException) else str(error)
    param = error.param if isinstance(error, ApiError) else None
    kind = KINDS.get(status, "invalid_request_error")
    return ErrorBody(error=ErrorDetail(type=kind, message=message, param=param))


def status_of(error: HTTPException | PolicyError) -> int:
    """The HTTP status for an error."""
    if isinstance(error, HTTPException):
        return error.status_code
    return 400 if isinstance(error, PromptTooLong) else 503


def response_to(error: HTTPException | PolicyError) -> JSONResponse:
    """The whole response for an error."""
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse(body_of(error).model_dump(), status_of(error), headers)


def invalid(error: RequestValidationError) -> ApiError:
    """The faults of a body in one message; `param` is the first one's place."""
    faults = [_fault(fault["type"], fault["loc"][1:], fault["msg"]) for fault in error.errors()]
    lines = [f"{place}: {message}" if place else message for place, message in faults]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ApiError(400, "; ".join(lines[:SHOWN] + more), faults[0][0])


def _fault(kind: str, steps: Sequence[str | int], message: str) -> tuple[str | None, str]:
    """Place and description."""
    if kind == "json_invalid":
        return None, f"the body is not JSON from character {steps[0]} on"
    return ".".join(str(step) for step in steps) or None, message


def install(app: FastAPI) -> None:
    """Make the application answer every foreseen exception in the API's error form."""

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return response_to(error)

    @app.exception_handler(PolicyError)
    async def policy(request: Request, error: PolicyError) -> JSONResponse:
        return response_to(error)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> JSONResponse:
        return response_to(invalid(error))
