"""The body of an upload: a form of a few fields and one file, read into memory up to a cap.

Owns: that no uploaded byte touches the disk. Must not know: what the file is.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from kandong.errors import BodyTooLargeError, InputError
from kandong.server.slow_clients import READERS

_MAX_PARTS = 20
_MAX_FIELDS_BYTES = 2**17  # must be above the parser's chunks of 64 KiB, which it counts too
_MAX_FIELD_CHARS = 4_096
_FRAME_BYTES = 65_536  # boundaries, headers and small fields around the file
_HINT = "Send multipart/form-data with a part `file`, for example: curl -F file=@card.png …/v1/files"


@dataclass(frozen=True)
class UploadForm:
    """One uploaded file with the other fields of its form."""

    filename: str
    data: bytes
    fields: dict[str, str]


def read_upload(max_file_bytes: int) -> UploadForm:
    """Read the form of the current request. Errors: ``InputError`` naming what is wrong; ``BodyTooLargeError``."""
    fields, files = read_form(max_file_bytes + _FRAME_BYTES, _HINT)
    for name, value in fields.items():
        if len(value) > _MAX_FIELD_CHARS:
            raise InputError(f"A field of the form has more than {_MAX_FIELD_CHARS} characters.", field=name[:64])
    parts = files.getlist("file")
    if len(parts) != 1:
        what = "missing" if not parts else "there more than once"
        raise InputError(f"The part `file` is {what}.", hint=_HINT, field="file")
    data = parts[0].stream.read()
    if len(data) > max_file_bytes:
        raise BodyTooLargeError(
            f"The file has {len(data)} bytes, allowed are {max_file_bytes}.",
            hint="Make the picture smaller, or raise max_upload_bytes.",
            field="file",
        )
    return UploadForm(parts[0].filename or "", data, dict(fields.items()))


def read_form(max_bytes: int, hint: str) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Read the form of the current request into memory: its fields, and its files.

    Errors: ``InputError`` with ``hint`` if it is none; HTTP 413 if it is larger, or its fields than 128 KiB.
    """
    request.max_content_length = max_bytes
    if request.mimetype != "multipart/form-data" or not request.mimetype_params.get("boundary"):
        raise InputError("The upload is no form.", hint=hint)

    def in_memory(*_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO()

    parser = FormDataParser(in_memory, _MAX_FIELDS_BYTES, max_form_parts=_MAX_PARTS, silent=False)
    try:
        _, fields, files = parser.parse(request.stream, request.mimetype, None, request.mimetype_params)
    except ValueError:  # UnicodeError too
        raise InputError("The form cannot be read to its end.", hint=hint) from None
    READERS.end(request.environ.get("gunicorn.socket"))
    return fields, files
