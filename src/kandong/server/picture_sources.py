"""Pictures as a request names them: data URIs, ids of files, web addresses, paths in the media folder.

Owns: telling these apart, and from each to pixels under one cap for the whole request. Must not know: routes, models.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from kandong.errors import InputError, PictureFormatError, PictureLimitError
from kandong.server.media_paths import read_media
from kandong.server.remote_pictures import RemotePictures
from kandong.server.services import Services
from kandong.types import Picture

# Of all pictures of a request, as RGB: what the engine's process takes of one request is much more.
MAX_RGB_BYTES = 384 * 2**20
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{60,}={0,2}\s*\Z")
_FILE_ID = re.compile(r"file-[0-9A-Za-z_-]{1,64}")
_DATA_HINT = "Write it as data:image/png;base64,… (JPEG, PNG, WebP, GIF or BMP)."
_KINDS_HINT = "Give a data URI (data:image/png;base64,…) or the id of an uploaded file (POST /v1/files)."


@dataclass(frozen=True)
class PictureSource:
    """What stands for a picture, and ``place``: the field that it stood in, as ``messages[0].content[1]…``.

    ``data`` are the bytes of an uploaded part; then ``text`` is empty. Only with ``may_be_path`` is a path looked for.
    """

    place: str
    text: str = ""
    data: bytes | None = None
    may_be_path: bool = False


def read_pictures(sources: Sequence[PictureSource], services: Services, owner: str) -> list[Picture]:
    """Give the pictures in order; each distinct source is read once.

    Errors: ``InputError``, ``PictureError``, ``NotFoundError``, each naming the place; ``PictureLimitError`` if all
    together take too much memory.
    """
    known: dict[str, Picture] = {}
    pictures: list[Picture] = []
    num_bytes = 0
    for source in sources:
        picture = known.get(source.text) if source.data is None else None
        if picture is None:
            picture = _read_one(source, services, owner)
            num_bytes += picture.rgb.nbytes
            if num_bytes > MAX_RGB_BYTES:
                raise PictureLimitError(
                    f"The pictures of this request have more than {MAX_RGB_BYTES // 3_000_000} million pixels.",
                    hint="Send fewer or smaller pictures.",
                    field=source.place,
                )
            if source.data is None:
                known[source.text] = picture
        pictures.append(picture)
    return pictures


def _read_one(source: PictureSource, services: Services, owner: str) -> Picture:
    text = source.text.strip()
    try:
        if source.data is not None:
            return services.decoder.decode(source.data)
        if _FILE_ID.fullmatch(text):
            return services.files.picture(owner, text)
        return services.decoder.decode(_bytes_of(text, source, services))
    except InputError as error:
        error.field = source.place
        raise


def _bytes_of(text: str, source: PictureSource, services: Services) -> bytes:
    """Give the bytes of a picture's file."""
    settings = services.settings
    scheme = text[:16].lower()
    if scheme.startswith("data:"):
        return data_uri_bytes(text, settings.max_upload_bytes)
    if scheme.startswith(("http://", "https://")):
        return RemotePictures(settings.remote_hosts, settings.max_upload_bytes).fetch(text)
    if source.may_be_path and settings.media_folder is not None and len(text) < 4096:
        return read_media(settings.media_folder, text, settings.max_upload_bytes)
    raise _refusal(text, scheme, source)


def _refusal(text: str, scheme: str, source: PictureSource) -> InputError:
    """Say what this text is instead of a picture."""
    if not text:
        return InputError("The picture is empty.", hint=_KINDS_HINT)
    if _BASE64.fullmatch(text):
        return InputError("The picture is base64 without the beginning of a data URI.", hint=_DATA_HINT)
    if scheme.startswith("file:"):
        return InputError("Files of the server cannot be named by an address.", hint=_KINDS_HINT)
    if re.match(r"[a-z][a-z0-9+.-]*:", scheme):
        return InputError("Pictures cannot be given by this kind of address.", hint=_KINDS_HINT)
    if source.may_be_path:
        return InputError(
            "No media folder is open for paths.", hint=f"{_KINDS_HINT} The setting media_folder opens one for paths."
        )
    return InputError("This is neither a data URI nor the id of a file.", hint=_KINDS_HINT)


def data_uri_bytes(uri: str, max_bytes: int) -> bytes:
    """Give what a data URI holds, whatever type it says: that is seen from the bytes.

    Errors: ``InputError`` if it is none; ``PictureLimitError`` if it holds too much; ``PictureFormatError`` if empty.
    """
    head, comma, payload = uri.partition(",")
    if not comma:
        raise InputError("The data URI has no comma, so no data.", hint=_DATA_HINT)
    if len(payload) > 3 * max_bytes + 1024:
        raise _too_large(max_bytes)
    is_base64 = head.lower().rstrip().endswith(";base64")
    data = _base64_bytes(payload) if is_base64 else unquote_to_bytes(payload)
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    if not data:
        raise PictureFormatError("The data URI holds nothing.", hint=_DATA_HINT)
    return data


def _too_large(max_bytes: int) -> PictureLimitError:
    return PictureLimitError(
        f"The picture's file has more than {max_bytes} bytes.", hint="Make it smaller and send it again."
    )


def _base64_bytes(payload: str) -> bytes:
    """Decode base64 with blanks, line breaks, URL-safe letters or missing ends; nothing else is passed over."""
    text = payload if payload.isalnum() else "".join(payload.split())
    if "%" in text:
        text = unquote_to_bytes(text).decode("latin-1")
    text = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The data URI is not valid base64.", hint=_DATA_HINT) from None
