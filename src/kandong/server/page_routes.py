"""Routes of the web page: everything that nothing else answers.

Owns: these addresses. Must not know: what files there are.
"""

from __future__ import annotations

from flask import Response
from werkzeug.routing import PathConverter

from kandong.server.routes import Routes
from kandong.server.services import services


class PagePath(PathConverter):
    """Any path but those below /v1 and /api, where what is not there must not look like a page."""

    regex = r"(?!(?:v1|api)(?:/|$))[^/].*?"


def add_routes(routes: Routes) -> None:
    """Declare the page; it takes every address that nothing else does."""

    @routes.add("GET", "/", scope="public", summary="The page", gives=str, media="text/html")
    def index() -> Response:
        return services().page.answer("")

    @routes.add("GET", "/<page:path>", scope="public", summary="The page's files", gives=bytes, media="text/html")
    def file(path: str) -> Response:
        return services().page.answer(path)
