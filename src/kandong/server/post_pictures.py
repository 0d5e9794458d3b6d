"""Pictures of a post and of a moderation's input, in the forms that clients write them.

Owns: telling these forms apart. Must not know: where pixels come from (``picture_sources.py``), what is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kandong.errors import InputError
from kandong.server.picture_sources import PictureSource

_HINT = 'Give a data URI, the id of an uploaded file, or {"image_url": {"url": …}}.'


def picture_source(entry: Any, place: str) -> PictureSource:
    """Give the source that an entry names: a text, ``{image_url}``, ``{file_id}`` or ``{file: {file_id}}``.

    Errors: ``InputError`` naming ``place``.
    """
    if isinstance(entry, Mapping):
        if (url := entry.get("image_url")) is not None:
            return _of_text(url.get("url") if isinstance(url, Mapping) else url, f"{place}.image_url")
        if (file_id := entry.get("file_id")) is not None:
            return _of_text(file_id, f"{place}.file_id")
        if isinstance(file := entry.get("file"), Mapping):
            return _of_text(file.get("file_id"), f"{place}.file.file_id")
        raise InputError(f"{place} names no picture.", hint=_HINT, field=place)
    return _of_text(entry, place)


def _of_text(text: Any, place: str) -> PictureSource:
    if not isinstance(text, str):
        raise InputError(f"{place} must be a text.", hint=_HINT, field=place)
    return PictureSource(place, text)
