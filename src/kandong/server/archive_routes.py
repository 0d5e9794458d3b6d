"""Routes of export and import.

Owns: these addresses. Must not know: the form of the file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from flask import Response

from kandong.server.archive import Archive, check_version
from kandong.server.bodies import decode_body
from kandong.server.routes import Routes
from kandong.server.services import caller, services
from kandong.store.conversations import StoredConversation

MAX_IMPORT_BYTES = 512 * 2**20


class ImportResult(msgspec.Struct, frozen=True):
    """What was added; what was here already is skipped."""

    num_conversations: int
    num_skipped: int
    conversation_ids: list[str]


def export_one(conversation_id: str) -> Response:
    """Give one conversation as a file."""
    return _file([services().conversations.get(caller().owner, conversation_id)])


def export_all() -> Response:
    """Give all conversations as a file."""
    return _file(services().conversations.all_of(caller().owner))


def import_file(body: msgspec.Raw) -> ImportResult:
    """Take a file of conversations in."""
    data = bytes(body)
    check_version(data)
    imported = services().archives.take_in(caller().owner, decode_body(data, Archive))
    return ImportResult(len(imported.conversation_ids), imported.num_skipped, imported.conversation_ids)


def _file(conversations: Sequence[StoredConversation]) -> Response:
    response = Response(services().archives.export(conversations), mimetype="application/json")
    name = time.strftime("kandong-%Y-%m-%d.json", time.gmtime())
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def add_routes(routes: Routes) -> None:
    """Declare them."""
    routes.add(
        "GET",
        "/api/conversations/<conversation_id>/export",
        scope="read",
        summary="One conversation as a JSON file, with its pictures",
        gives=Archive,
        errors=(404,),
    )(export_one)
    routes.add(
        "GET",
        "/api/export",
        scope="read",
        summary="All conversations as a JSON file, with their pictures",
        gives=Archive,
    )(export_all)
    routes.add(
        "POST",
        "/api/import",
        scope="submit",
        summary="Take an exported file in; what is here already is skipped",
        gives=ImportResult,
        takes=msgspec.Raw,  # the version is looked at before the form
        max_body_bytes=MAX_IMPORT_BYTES,
        errors=(400, 413, 415, 503, 507),
    )(import_file)
