"""Routes that judge posts: reports of several tasks at once, as Excel too, and moderation in OpenAI's shape.

Owns: these addresses and their shapes. Must not know: how posts are judged.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from flask import Response, request

from kandong.errors import InputError
from kandong.server.chat_run import is_gone
from kandong.server.event_stream import stream_response
from kandong.server.moderation_shapes import Moderation, ModerationBody, moderation_of, posts_of
from kandong.server.picture_sources import read_pictures
from kandong.server.post_pictures import picture_source
from kandong.server.report_run import ReportStream, Wanted, run_reports
from kandong.server.routes import Routes
from kandong.server.services import caller, services
from kandong.tasks.analyse import TASKS
from kandong.tasks.post import Post, parse_post
from kandong.tasks.report_tables import sheets_of_post
from kandong.tasks.table_titles import titled
from kandong.tasks.tables import excel_of
from kandong.types import Picture

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAX_EXPORT_BYTES = 32 * 2**20
_DEFAULT_TASKS = tuple(task for task in TASKS if task != "ask")


class ReportBody(msgspec.Struct, frozen=True):
    """A post and what is asked about it.

    ``post``: ``id, text, pictures[] (data URIs, ids of files, {image_url}), comments[], platform, time, product {name,
    price, list_price, gifts[], specification, certificates[]}``. ``tasks``: of read, ask, describe, moderate,
    sentiment, extract; by default all but ask. ``question`` is of ask, ``schema`` of extract, ``mode`` of read. With
    ``use_model`` false only OCR, codes and rules work. ``stream``: progress as server-sent events.
    """

    post: dict[str, Any]
    tasks: Annotated[list[str], msgspec.Meta(max_length=16)] | None = None
    question: Annotated[str, msgspec.Meta(max_length=4_000)] | None = None
    schema: dict[str, Any] | None = None
    mode: Literal["fast", "auto", "model"] | None = None
    use_model: bool | None = None
    stream: bool | None = None


class Reports(msgspec.Struct, frozen=True):
    """A report for each task, in the order asked; their fields are those of the documentation of tasks."""

    id: str
    object: str
    created_at: int
    reports: dict[str, dict[str, Any]]


class ReportExport(msgspec.Struct, frozen=True):
    """Reports of one post as ``POST /v1/reports`` gave them, and what the post is called in the table.

    ``language`` is that of sheets, columns and fixed values; what a post says stays as it is.
    """

    reports: dict[str, dict[str, Any]]
    name: Annotated[str, msgspec.Meta(max_length=200)] = "post"
    format: Literal["xlsx"] = "xlsx"
    language: Literal["en", "zh"] = "en"


def export_reports(body: ReportExport) -> Response:
    """Give reports as an Excel file: a sheet for each task, and sheets of what it found. Nothing is judged anew."""
    response = Response(excel_of(titled(sheets_of_post(body.name, body.reports), body.language)), mimetype=EXCEL)
    name = time.strftime("kandong-report-%Y-%m-%d.xlsx", time.gmtime())
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def add_routes(routes: Routes) -> None:
    """Declare them."""

    @routes.add(
        "POST",
        "/v1/reports",
        scope="submit",
        summary="Judge a post by several tasks at once; with stream, progress as server-sent events",
        takes=ReportBody,
        gives=Reports,
        takes_pictures=True,
        is_work=True,
        is_long=True,
        errors=(400, 404, 413, 415, 422, 429, 503, 504),
    )
    def reports(body: ReportBody) -> Reports | Response:
        wanted = Wanted(
            _post_of(body.post),
            _DEFAULT_TASKS if body.tasks is None else body.tasks,
            body.question,
            body.schema,
            body.mode or "auto",
            uses_model=body.use_model is not False,
        )
        if not body.stream:
            return _reports(run_reports(services(), caller().owner, wanted))
        environ = request.environ
        stream = ReportStream(services(), caller().owner, wanted, _reports, lambda: is_gone(environ))
        return stream_response(stream)

    routes.add(
        "POST",
        "/v1/reports/export",
        scope="read",
        summary="Reports as an Excel file; no text of a post becomes a formula",
        takes=ReportExport,
        gives=bytes,
        media=EXCEL,
        max_body_bytes=_MAX_EXPORT_BYTES,
        errors=(400, 413, 415),
    )(export_reports)

    @routes.add(
        "POST",
        "/v1/moderations",
        scope="submit",
        summary="Moderate texts and pictures by rules, in OpenAI's shape",
        takes=ModerationBody,
        gives=Moderation,
        takes_pictures=True,
        is_long=True,
        errors=(400, 404, 413, 415, 422, 429, 503, 504),
    )
    def moderations(body: ModerationBody) -> Moderation:
        found = []
        for text, entries in posts_of(body):
            post = Post(text=text, pictures=tuple(_pictures(entries)))
            report = run_reports(services(), caller().owner, Wanted(post, ("moderate",), uses_model=False))["moderate"]
            found.append((report, bool(text), bool(entries)))
        return moderation_of(found)


def _post_of(value: Mapping[str, Any]) -> Post:
    """Read a post with its pictures. Errors: ``InputError`` naming the field; those of ``read_pictures``."""
    entries = value.get("pictures")
    if entries is not None and not isinstance(entries, list):
        raise InputError("post.pictures must be a list.", field="post.pictures")
    if len(entries or ()) > services().settings.max_pictures:
        raise InputError(
            f"The post has {len(entries or ())} pictures, allowed are {services().settings.max_pictures}.",
            hint="Send fewer, or raise max_pictures.",
            field="post.pictures",
        )
    pictures = _pictures([(entry, f"post.pictures[{i}]") for i, entry in enumerate(entries or ())])
    places = {f"post.pictures[{i}]": picture for i, picture in enumerate(pictures)}
    return parse_post(value, lambda _, place: places[place])


def _pictures(entries: list[tuple[Any, str]]) -> list[Picture]:
    return read_pictures([picture_source(entry, place) for entry, place in entries], services(), caller().owner)


def _reports(reports: dict[str, dict[str, Any]]) -> Reports:
    return Reports(f"report-{secrets.token_hex(12)}", "kandong.reports", int(time.time()), reports)
