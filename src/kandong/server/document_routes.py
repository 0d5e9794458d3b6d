"""The API's description: as a document for programs, and as a page for people that needs no script and no network.

Owns: these two addresses. Must not know: how routes become a document.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from flask import Response

from kandong.server.content_policy import new_nonce, page_policy
from kandong.server.openapi import openapi_document
from kandong.server.routes import Routes

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font-family:ui-monospace,monospace;background:#f3f4f6;border-radius:4px;padding:.1em .3em}"
    "pre{padding:.8em;overflow:auto}section{border-top:1px solid #ddd;padding:.5rem 0}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}code,pre{background:#262626}"
    "section{border-color:#333}a{color:#8ab4f8}}"
)


def add_routes(routes: Routes) -> None:
    """Declare them; they describe all routes that are in the table by the time they are asked."""

    @cache
    def document() -> dict[str, Any]:
        return openapi_document(routes.all)

    @routes.add("GET", "/openapi.json", scope="read", summary="This description, as OpenAPI 3.1")
    def openapi() -> dict[str, Any]:
        return document()

    @routes.add("GET", "/docs", scope="read", summary="This description, to read", gives=str, media="text/html")
    def docs() -> Response:
        nonce = new_nonce()
        response = Response(docs_page(document(), nonce), mimetype="text/html")
        response.headers["Content-Security-Policy"] = page_policy(nonce)
        return response


def docs_page(document: dict[str, Any], nonce: str) -> str:
    """Write the document as a page."""
    sections = [
        _section(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = [
        f'<section id="{escape(name)}"><h3><code>{escape(name)}</code></h3>{_schema(schema)}</section>'
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    title = f"Kandong {escape(document['info']['version'])}: API"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style nonce="{nonce}">{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{escape(document['info']['description'])} "
        '<a href="/openapi.json">openapi.json</a>. Where keys are in use, send '
        "<code>Authorization: Bearer kd-…</code>.</p>"
        f"{''.join(sections)}<h2>Types</h2>{''.join(schemas)}</body></html>"
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{p['in']}</td><td>{_kind(p['schema'])}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation["parameters"]
    )
    body = "".join(
        f"<p>Takes <code>{media}</code>: {_kind(content['schema'])}</p>"
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(answer['description'])}</td><td>"
        + ", ".join(f"{_kind(c['schema'])} <code>{m}</code>" for m, c in answer["content"].items())
        + "</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<section id="{operation["operationId"]}"><h2><code>{method} {escape(path)}</code></h2>'
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
        f"<table>{parameters}</table>{body}<details><summary>Answers</summary><table>{answers}</table></details></section>"
    )


def _schema(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_kind(field)}</td>"
        f"<td>{'required' if name in schema.get('required', ()) else ''}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<p>{escape(schema.get('description', ''))}</p>" + (f"<table>{rows}</table>" if rows else "")


def _kind(schema: dict[str, Any]) -> str:
    """Name a type in a few words, with links to those that have a section."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_kind, parts))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    if choices := schema.get("enum"):
        return " or ".join(f"<code>{escape(str(choice))}</code>" for choice in choices)
    return escape(str(schema.get("type", "anything")))
