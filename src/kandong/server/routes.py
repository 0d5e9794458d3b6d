"""The table of routes: what each address takes and gives, and who may ask.

Owns: declaring a route once, for dispatch, authentication, limits and the OpenAPI document alike.
Must not know: what a route does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Scope = Literal["public", "read", "submit", "admin"]
Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Route:
    """One address and method. ``path`` in Flask's notation.

    ``takes`` and ``gives`` are msgspec types (or ``None``) that the OpenAPI document is made of; ``media`` is what is
    given (``text/event-stream`` for streams). ``errors`` are the HTTP statuses that it may answer with beside those of
    every route. ``max_body_bytes`` caps the request's body; ``None``: what holds for JSON, or with
    ``takes_pictures`` the setting ``max_request_bytes``.

    ``is_work``: it starts work for the engine, so it is refused early where there is no room for any. ``is_long``: its
    answer may take as long as the engine does, so it counts among those that hold a thread.

    ``handler`` gets the decoded body as its first argument if ``takes`` is set (``None`` for a form, where
    ``takes_multipart`` allows one), and the path's variables by name. What it gives becomes JSON, unless it is a
    Flask ``Response`` already. Values of the query are given by ``services.query``.
    """

    method: Method
    path: str
    scope: Scope
    handler: Callable[..., Any]
    summary: str
    takes: Any = None
    gives: Any = None
    status: int = 200
    media: str = "application/json"
    takes_multipart: bool = False
    takes_pictures: bool = False
    errors: tuple[int, ...] = ()
    max_body_bytes: int | None = None
    is_work: bool = False
    is_long: bool = False
    form: tuple[tuple[str, Any, str], ...] = ()  # fields of a form: (name, type, meaning); bytes is a file
    query: tuple[tuple[str, Any, str], ...] = ()  # (name, type, meaning)
    events: tuple[tuple[str, type], ...] = ()  # of a stream: (name, what its data is)


class Routes:
    """Collects routes; each module of the server adds its own."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def add(self, method: Method, path: str, **fields: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare the decorated function as the handler of a route."""

        def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
            self.all.append(Route(method=method, path=path, handler=handler, **fields))
            return handler

        return declare
