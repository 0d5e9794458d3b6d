"""The web application: the table of routes as a Flask application.

Owns: dispatch from the table: who asks, caps, body and query as typed values, answers as JSON. Must not know: what any
route does, processes, sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response, g, request

from kandong.server import file_routes, openai_routes, ops
from kandong.server.bodies import decode_body, decode_query
from kandong.server.error_replies import handle_errors
from kandong.server.routes import Route, Routes
from kandong.server.services import EXTENSION, Caller, Services
from kandong.server.services import services as services_of_app

DEFAULT_BODY_BYTES = 2**20
_MAX_FORM_PARTS = 40
_MAX_FORM_TEXT_BYTES = 2**20
_ALL_SCOPES = frozenset({"read", "submit", "admin"})


def all_routes() -> Routes:
    """Collect the routes of every module of the server."""
    routes = Routes()
    for module in (ops, file_routes, openai_routes):
        module.add_routes(routes)
    return routes


def create_app(services: Services) -> Flask:
    """Make the application around long-lived parts that already run."""
    app = Flask("kandong", static_folder=None, template_folder=None)
    app.config.update(MAX_FORM_PARTS=_MAX_FORM_PARTS, MAX_FORM_MEMORY_SIZE=_MAX_FORM_TEXT_BYTES)
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = services
    handle_errors(app)
    for number, route in enumerate(all_routes().all):
        app.add_url_rule(
            route.path,
            endpoint=f"{number} {route.method} {route.path}",
            view_func=_view_of(route),
            methods=[route.method],
            provide_automatic_options=False,
        )
    return app


def _view_of(route: Route) -> Callable[..., Response]:
    def view(**variables: Any) -> Response:
        g.caller = Caller("local", _ALL_SCOPES)
        request.max_content_length = _max_body_bytes(route)
        g.query = decode_query(request.args, route.query)
        if route.takes is None:
            return _reply(route, route.handler(**variables))
        is_form = route.takes_multipart and request.mimetype == "multipart/form-data"
        body = None if is_form else decode_body(request.get_data(cache=False), route.takes)
        return _reply(route, route.handler(body, **variables))

    return view


def _max_body_bytes(route: Route) -> int:
    if route.takes_pictures:
        return services_of_app().settings.max_request_bytes
    return route.max_body_bytes or DEFAULT_BODY_BYTES


def _reply(route: Route, result: Any) -> Response:
    """Give a handler's result as an answer; a handler may also make the whole answer itself."""
    if isinstance(result, Response):
        return result
    return Response(msgspec.json.encode(result), status=route.status, mimetype=route.media)
