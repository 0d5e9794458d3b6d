"""Errors as HTTP answers: one JSON shape for all of them.

Owns: that shape, ``Retry-After``, and which of the web framework's own errors is which of ours. Must not know: routes.
"""

from __future__ import annotations

import logging

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed

from kandong.errors import (
    BodyTooLargeError,
    ForeignOriginError,
    InputError,
    KandongError,
    NotAllowedMethodError,
    NotFoundError,
    RequestTimeoutError,
)
from kandong.server.slow_clients import READERS

DEFAULT_RETRY_AFTER_S = 2
_LONG_RETRY_AFTER_S = 30
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_log = logging.getLogger("kandong.server")


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, as OpenAI's clients read it, with what to do about it."""

    message: str
    type: str
    param: str | None
    code: str
    hint: str | None
    retryable: bool


class ErrorReply(msgspec.Struct, frozen=True):
    """The body of every answer with a status from 400 on."""

    error: ErrorBody


def error_reply(error: KandongError) -> ErrorReply:
    """Give an error as the JSON object that clients get, in a body or inside a stream."""
    status = error.http_status
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return ErrorReply(ErrorBody(error.message, kind, error.field, error.code, error.hint, error.retryable))


def error_response(error: KandongError) -> Response:
    """Give an error as a whole answer, with ``Retry-After`` where coming again makes sense."""
    response = Response(msgspec.json.encode(error_reply(error)), status=error.http_status, mimetype="application/json")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    elif error.http_status in (429, 503):
        response.headers["Retry-After"] = str(DEFAULT_RETRY_AFTER_S if error.retryable else _LONG_RETRY_AFTER_S)
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="kandong"'
    return response


def handle_errors(app: Flask) -> None:
    """Let every failure of a request end in the one shape; what nobody foresaw is logged and told without details."""

    @app.errorhandler(KandongError)
    def _ours(error: KandongError) -> Response:
        return error_response(error)

    @app.errorhandler(HTTPException)
    def _frameworks(error: HTTPException) -> Response:
        is_slow = isinstance(error, ClientDisconnected) and READERS.end(request.environ.get("gunicorn.socket"))
        response = error_response(_too_slow() if is_slow else from_http_exception(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(MemoryError)
    @app.errorhandler(Exception)
    def _unforeseen(error: Exception) -> Response:
        _log.error("unforeseen failure", exc_info=error)
        return error_response(
            KandongError(f"Internal error ({type(error).__name__}).", hint="Report it with the server's log.")
        )


def _too_slow() -> RequestTimeoutError:
    return RequestTimeoutError("The request's body did not come in time.", hint="Send it faster, or less of it.")


def from_http_exception(error: HTTPException) -> KandongError:
    """Give our error for one of the web framework; its own text is not shown."""
    status = error.code or 500
    if status == 404:
        return NotFoundError("There is nothing at this address.", hint="GET /openapi.json lists all addresses.")
    if status == 405:
        return NotAllowedMethodError("This address does not take this method.", hint="The Allow header names those.")
    if status == 413:
        return BodyTooLargeError("The request's body is too large.", hint="Send less, or smaller pictures.")
    if status == 421 or type(error).__name__ == "SecurityError":
        return ForeignOriginError("The request names a host that this server is not.")
    if status < 500:
        return InputError(f"The request cannot be understood (HTTP {status}).", hint="Look at headers and body.")
    return KandongError(f"Internal error (HTTP {status}).")
