"""The web application: the table of routes as a Flask application.

Owns: dispatch from the table: who asks, caps, body and query as typed values, answers as JSON, the audit's entries.
Must not know: what any route does, processes, sockets.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response, g, request

from kandong.errors import RequestTimeoutError
from kandong.server import (
    archive_routes,
    conversation_routes,
    document_routes,
    file_routes,
    model_routes,
    openai_routes,
    ops,
    page_routes,
    report_routes,
)
from kandong.server.bodies import decode_body, decode_query
from kandong.server.error_replies import handle_errors
from kandong.server.guard import HostCheck, add_headers, authorise
from kandong.server.routes import Route, Routes
from kandong.server.services import EXTENSION, Services
from kandong.server.slow_clients import READERS
from kandong.store.audit import AuditEntry

DEFAULT_BODY_BYTES = 2**20
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNLISTED = frozenset({"/healthz", "/readyz", "/", "/<page:path>"})
_MAX_FORM_PARTS = 40
_MAX_FORM_TEXT_BYTES = 2**20


def all_routes() -> Routes:
    """Collect the routes of every module of the server."""
    routes = Routes()
    for module in (
        ops,
        archive_routes,
        openai_routes,
        report_routes,
        conversation_routes,
        file_routes,
        model_routes,
        document_routes,
        page_routes,
    ):
        module.add_routes(routes)
    return routes


def create_app(services: Services) -> Flask:
    """Make the application around long-lived parts that already run."""
    app = Flask("kandong", static_folder=None, template_folder=None)
    app.config.update(MAX_FORM_PARTS=_MAX_FORM_PARTS, MAX_FORM_MEMORY_SIZE=_MAX_FORM_TEXT_BYTES)
    app.url_map.merge_slashes = False
    app.url_map.converters["page"] = page_routes.PagePath
    app.extensions[EXTENSION] = services
    handle_errors(app)
    _check_everything(app, services)
    for number, route in enumerate(all_routes().all):
        add_route(app, services, route, f"{number} {route.method} {route.path}")
    return app


def add_route(app: Flask, services: Services, route: Route, endpoint: str) -> None:
    """Let the application answer one route of the table."""
    app.add_url_rule(
        route.path,
        endpoint=endpoint,
        view_func=_view_of(services, route),
        methods=[route.method],
        provide_automatic_options=False,
    )


def _check_everything(app: Flask, services: Services) -> None:
    """Do what holds for every request, also for those that no route answers."""
    hosts = HostCheck(services.settings)

    @app.before_request
    def _begin() -> None:
        g.started = time.perf_counter()
        hosts.check(request)

    @app.after_request
    def _end(response: Response) -> Response:
        _note(services, response)
        return add_headers(response)


def _note(services: Services, response: Response) -> None:
    """Put a request on the list, unless it only asks how the service is."""
    rule = request.url_rule.rule if request.url_rule else "-"
    method = request.method if request.method in _METHODS else "-"
    seconds = time.perf_counter() - g.started
    services.requests.count(method, rule, response.status_code, seconds)
    if rule in _UNLISTED:
        return
    caller = g.get("caller")
    services.audit.note(
        AuditEntry(
            at_s=time.time(),
            key_id=caller.key_id if caller else None,
            method=method,
            route=rule,
            status=response.status_code,
            ms=round(seconds * 1e3, 1),
            body_sha256=g.get("body_sha256"),
        )
    )


def _view_of(services: Services, route: Route) -> Callable[..., Response]:
    def view(**variables: Any) -> Response:
        request.max_content_length = _max_body_bytes(services, route)
        g.caller = authorise(services, route, request)
        g.query = decode_query(request.args, route.query)
        if route.is_work:
            services.admission.check(g.caller.owner)
        if not route.is_long:
            return _reply(route, _handle(route, variables))
        release = services.admission.take_thread()
        try:
            response = _reply(route, _handle(route, variables))
        except BaseException:
            release()
            raise
        response.call_on_close(release)
        return response

    return view


def _max_body_bytes(services: Services, route: Route) -> int:
    if route.takes_pictures:
        return services.settings.max_request_bytes
    return route.max_body_bytes or DEFAULT_BODY_BYTES


def _handle(route: Route, variables: dict[str, Any]) -> Any:
    """Read the body, where it is JSON, and run the handler; a form is the handler's to read."""
    connection = request.environ.get("gunicorn.socket")
    if route.takes_multipart and (route.takes is None or request.mimetype == "multipart/form-data"):
        return route.handler(**variables) if route.takes is None else route.handler(None, **variables)
    if route.takes is None:
        READERS.end(connection)
        return route.handler(**variables)
    data = request.get_data(cache=False)
    if READERS.end(connection):  # what came is then given as if it were all
        raise RequestTimeoutError("The request's body did not come in time.", hint="Send it faster, or less of it.")
    g.body_sha256 = hashlib.sha256(data).hexdigest()
    return route.handler(decode_body(data, route.takes), **variables)


def _reply(route: Route, result: Any) -> Response:
    """Give a handler's result as an answer; a handler may also make the whole answer itself."""
    if isinstance(result, Response):
        return result
    return Response(msgspec.json.encode(result), status=route.status, mimetype=route.media)
