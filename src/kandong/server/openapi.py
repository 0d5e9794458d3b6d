"""The table of routes as an OpenAPI 3.1 document.

Owns: how routes, types and errors are described. Must not know: what routes do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from kandong import __version__
from kandong.server.error_replies import ErrorReply
from kandong.server.routes import Route

_TEMPLATE = "#/components/schemas/{name}"
_VARIABLE = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_EVERYWHERE = (400, 403, 500)
_WITH_KEY = (401, 429)
_WITH_BODY = (408, 413, 415)
_OF_WORK = (404, 409, 422, 499, 502, 503, 504, 507)
_PLAIN: dict[Any, dict[str, Any]] = {str: {"type": "string"}, bytes: {"type": "string", "format": "binary"}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}}}


def openapi_document(routes: Iterable[Route]) -> dict[str, Any]:
    """Describe all routes but those of the page's files."""
    described = [route for route in routes if "<page:" not in route.path and route.path != "/"]
    types = [t for route in described for t in (route.takes, route.gives) if t is not None and t not in _PLAIN]
    types += [kind for route in described for _, kind in route.events]
    types.append(ErrorReply)
    schemas, components = msgspec.json.schema_components(types, schema_hook=_schema_of_other, ref_template=_TEMPLATE)
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in described:
        paths.setdefault(_VARIABLE.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kandong",
            "version": __version__,
            "description": "Understands social-media posts, pictures and words together. OpenAI-compatible below /v1.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`kandong keys create`"}},
        },
    }


def _schema_of_other(kind: type) -> dict[str, Any]:
    """Describe what may be any JSON value. Errors: ``NotImplementedError`` for what is no JSON at all."""
    if kind is object:
        return {"description": "Any JSON value."}  # an empty schema counts as none
    raise NotImplementedError


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9]+", "_", _VARIABLE.sub(r"\1", route.path)).strip("_")
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{name}",
        "summary": route.summary,
        "tags": [
            "OpenAI" if route.path.startswith("/v1/") else "Page" if route.path.startswith("/api/") else "Service"
        ],
        "parameters": [
            *({"name": v, "in": "path", "required": True, "schema": {"type": "string"}} for v in _names(route)),
            *(
                {"name": name, "in": "query", "description": meaning, "schema": msgspec.json.schema(kind)}
                for name, kind, meaning in route.query
            ),
        ],
        "responses": _responses(route, schema_of),
    }
    if route.scope != "public":
        operation["security"] = [{"key": []}]
        operation["description"] = f"Needs the scope `{route.scope}` where keys are in use."
    if body := _body(route, schema_of):
        operation["requestBody"] = body
    return operation


def _names(route: Route) -> list[str]:
    return _VARIABLE.findall(route.path)


def _body(route: Route, schema_of: dict[int, Any]) -> dict[str, Any] | None:
    content: dict[str, Any] = {}
    if route.takes is not None:
        content["application/json"] = {"schema": schema_of[id(route.takes)]}
    if route.takes_multipart:
        content["multipart/form-data"] = {"schema": _form(route)}
    return {"required": True, "content": content} if content else None


def _form(route: Route) -> dict[str, Any]:
    properties = {
        name: (_PLAIN.get(kind) or msgspec.json.schema(kind)) | {"description": meaning}
        for name, kind, meaning in route.form
    }
    required = [name for name, kind, _ in route.form if kind is bytes]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _responses(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _success(route, schema_of)}
    for status in sorted(error_statuses(route)):
        responses[str(status)] = {
            "description": _phrase(status),
            "content": {"application/json": {"schema": {"$ref": _TEMPLATE.format(name="ErrorReply")}}},
        } | ({"headers": _RETRY_AFTER} if status in (429, 503) else {})
    return responses


def _success(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    schema = _PLAIN.get(route.gives) or schema_of.get(id(route.gives), {})
    content = {route.media: {"schema": schema if route.media != "text/event-stream" else _PLAIN[str]}}
    if route.events:  # OpenAPI 3.1 has no words of its own for what a stream carries
        content[route.media]["x-events"] = {name: schema_of[id(kind)] for name, kind in route.events}
    if route.is_long and route.media == "application/json":
        content["text/event-stream"] = {"schema": _PLAIN[str]}
    return {"description": route.summary, "content": content}


def error_statuses(route: Route) -> set[int]:
    """Give every error status that a route may answer with."""
    statuses = {*_EVERYWHERE, *route.errors}
    if route.scope != "public":
        statuses |= set(_WITH_KEY)
    if route.takes is not None or route.takes_multipart:
        statuses |= set(_WITH_BODY)
    if route.is_work or route.is_long:
        statuses |= set(_OF_WORK)
    if _names(route):
        statuses.add(404)
    if route.scope != "public" or route.method != "GET":
        statuses |= {503, 507}
    return statuses


def _phrase(status: int) -> str:
    return "The client went away" if status == 499 else HTTPStatus(status).phrase
