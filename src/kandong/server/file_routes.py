"""Routes of uploaded pictures, as OpenAI's clients know them.

Owns: these addresses. Must not know: how pictures are decoded and kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec
from flask import Response, send_file

from kandong.errors import KandongError, NotFoundError, QueueFullError
from kandong.server.routes import Routes
from kandong.server.services import caller, query, services
from kandong.server.upload_form import UploadForm, read_upload
from kandong.store.files import MAX_PAGE, PURPOSES, StoredFile
from kandong.tasks.prompt_files import load_prompts
from kandong.types import Picture
from kandong.vlm.pixels import PixelBudget, plan_grid

# A picture of 20 MB may have 120 MB of pixels, and as much again while it is encoded.
_UNPACKED_AT_ONCE = threading.BoundedSemaphore(3)
_TURN_WITHIN_S = 30.0
_CACHE = "private, max-age=31536000, immutable"  # what is behind an id never changes


class FileFacts(msgspec.Struct, frozen=True):
    """What is known about the picture: its pixels by SHA-256, and the tokens that it takes in a prompt."""

    sha256: str
    width_px: int
    height_px: int
    format: str
    num_frames: int
    num_tokens: int | None


class FileObject(msgspec.Struct, frozen=True):
    """An uploaded file; times in Unix seconds."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    kandong: FileFacts
    object: Literal["file"] = "file"
    status: Literal["processed"] = "processed"


class FileList(msgspec.Struct, frozen=True):
    """A page of files; go on with ``after`` = ``last_id``."""

    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: Literal["list"] = "list"


class FileDeleted(msgspec.Struct, frozen=True):
    """The file is no longer listed."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


def file_object(file: StoredFile) -> FileObject:
    """Give a stored file as clients get it."""
    facts = FileFacts(file.sha, file.width_px, file.height_px, file.format.lower(), file.num_frames, _num_tokens(file))
    return FileObject(file.id, file.num_bytes, int(file.created_s), file.filename, file.purpose, facts)


def _num_tokens(file: StoredFile) -> int | None:
    """Count the tokens of a picture with the default budget; ``None`` while no model is known."""
    try:
        pixels = services().engine.config.pixels
        rows, columns = plan_grid(file.height_px, file.width_px, pixels, PixelBudget())
    except KandongError:
        return None
    return rows * columns // pixels.merge_size**2


def _warm(file: StoredFile, picture: Picture, how: str) -> None:
    parts = services()
    is_assisted = how == "assist"
    if is_assisted:
        parts.readings.begin(picture)
    if how != "0":
        system = load_prompts()["system"].text if is_assisted and not parts.host.is_demo else ""
        parts.warmings.start(caller().owner, file.id, picture, system=system)


@contextmanager
def _turn_to_unpack() -> Iterator[None]:
    """Wait for a turn. Errors: ``QueueFullError``."""
    if not _UNPACKED_AT_ONCE.acquire(timeout=_TURN_WITHIN_S):
        raise QueueFullError("Too many pictures are being uploaded.", hint="Try again in a moment.", retry_after_s=5)
    try:
        yield
    finally:
        _UNPACKED_AT_ONCE.release()


def _take(form: UploadForm) -> FileObject:
    picture = services().decoder.decode(form.data, field="file")
    file = services().files.add(
        caller().owner,
        picture,
        filename=form.filename,
        num_bytes=len(form.data),
        purpose=form.fields.get("purpose", "vision"),
    )
    _warm(file, picture, query("warm", "1"))
    return file_object(file)


def add_routes(routes: Routes) -> None:
    """Declare them."""
    _add_collection(routes)
    _add_single(routes)


def _add_collection(routes: Routes) -> None:
    @routes.add(
        "POST",
        "/v1/files",
        scope="submit",
        summary="Upload a picture; the model begins to look at it",
        gives=FileObject,
        takes_multipart=True,
        form=(
            ("file", bytes, "the picture: JPEG, PNG, WebP, GIF or BMP"),
            ("purpose", Literal[PURPOSES], "what it is for; vision if not given"),
        ),
        errors=(400, 413, 415, 503, 507),
        query=(
            (
                "warm",
                Literal["0", "1", "assist"],
                "0: the model does not begin to look at it; assist: as for a conversation, and its words are read too",
            ),
        ),
    )
    def upload() -> FileObject:
        form = read_upload(services().settings.max_upload_bytes)
        with _turn_to_unpack():
            return _take(form)

    @routes.add(
        "GET",
        "/v1/files",
        scope="read",
        summary="List uploaded pictures",
        gives=FileList,
        errors=(400, 404),
        query=(
            ("limit", Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)], "how many at most"),
            ("after", str, "id of the file behind which to go on"),
            ("order", Literal["asc", "desc"], "by time of upload; desc: newest first"),
            ("purpose", Literal[PURPOSES], "only files of this purpose"),
        ),
    )
    def list_files() -> FileList:
        page, has_more = services().files.page(
            caller().owner,
            after=query("after"),
            limit=query("limit", MAX_PAGE),
            order=query("order", "desc"),
            purpose=query("purpose"),
        )
        data = [file_object(file) for file in page]
        return FileList(data, data[0].id if data else None, data[-1].id if data else None, has_more)


def _add_single(routes: Routes) -> None:
    @routes.add(
        "GET",
        "/v1/files/<file_id>",
        scope="read",
        summary="What is known about a file",
        gives=FileObject,
        errors=(404,),
    )
    def get_file(file_id: str) -> FileObject:
        return file_object(services().files.get(caller().owner, file_id))

    @routes.add(
        "GET",
        "/v1/files/<file_id>/content",
        scope="read",
        summary="The picture, encoded anew; never the uploaded bytes",
        media="image/png",
        errors=(400, 404, 507),
        query=(("size", Literal["full", "thumb"], "thumb: a JPEG of at most 320 px"),),
    )
    def file_content(file_id: str) -> Response:
        file = services().files.get(caller().owner, file_id, is_for_looking=True)
        is_small = query("size", "full") == "thumb"
        stem = file.filename.rpartition(".")[0] or file.filename
        try:
            response: Response = send_file(
                services().files.media.encoded(file.sha, is_small=is_small),
                mimetype="image/jpeg" if is_small else "image/png",
                download_name=f"{stem}.{'jpg' if is_small else 'png'}",
                etag=f"{file.sha[:32]}-{'thumb' if is_small else 'full'}",
                conditional=True,
            )
        except FileNotFoundError:  # deleted since
            raise NotFoundError("There is no such file.", field="file_id") from None
        response.headers["Cache-Control"] = _CACHE
        return response

    @routes.add(
        "DELETE",
        "/v1/files/<file_id>",
        scope="submit",
        summary="Delete a file; conversations that show it keep it",
        gives=FileDeleted,
        errors=(404,),
    )
    def delete_file(file_id: str) -> FileDeleted:
        services().files.delete(caller().owner, file_id)
        services().warmings.stop(caller().owner, file_id)
        return FileDeleted(file_id)
