"""Requests and events as plain values and back, by the type hints of their dataclasses.

Owns: the one conversion, so that a new field of a request or event travels without a word here. Every value that comes
in is checked against its hint. Must not know: sockets, what the fields mean. Any thread may call it.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from kandong import errors
from kandong.errors import InputError, KandongError
from kandong.reading.report import ImageReading
from kandong.typed_values import from_plain
from kandong.types import Picture, PictureRef
from kandong.vlm.request import Event, Request

_KIND = "is"  # names the class of a value where several are possible
_ERRORS: dict[str, type[KandongError]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KandongError)
}


def request_to_wire(request: Request) -> tuple[dict[str, Any], list[PictureRef]]:
    """Give a request as plain values without its pictures, and what is to be known about each picture."""
    plain = {
        field.name: to_plain(getattr(request, field.name))
        for field in dataclasses.fields(request)
        if field.name != "pictures"
    }
    return plain, [reference(picture) for picture in request.pictures]


def request_from_wire(plain: Mapping[str, Any], pictures: Sequence[PictureRef]) -> Request:
    """Make a request of what ``request_to_wire`` gave. Errors: ``InputError`` for anything else."""
    return _guarded(lambda: _restore_fields(Request, plain, {"pictures": tuple(pictures)}))  # type: ignore[no-any-return]


def event_from_wire(plain: Any) -> Event:
    """Make an event of what ``to_plain`` gave. Errors: ``InputError`` for anything else."""
    return _guarded(lambda: _restore(plain, Event))  # type: ignore[no-any-return]


def reading_from_wire(plain: Any) -> ImageReading:
    """Make a picture's reading of what ``to_plain`` gave. Errors: ``InputError`` for anything else."""
    return _guarded(lambda: _restore(plain, ImageReading))  # type: ignore[no-any-return]


def reference(picture: Picture | PictureRef) -> PictureRef:
    """Give what stands for a picture while its pixels stay where they are."""
    if isinstance(picture, PictureRef):
        return picture
    return PictureRef(picture.digest, picture.height_px, picture.width_px)


def error_to_plain(error: KandongError) -> dict[str, Any]:
    """Give an error by its code, message, hint, field and when to come again."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "field": error.field,
        "retry_after_s": error.retry_after_s,
    }


def error_from_plain(plain: Any) -> KandongError:
    """Make the error that a code stands for; of an unknown code, a ``KandongError``."""
    if not isinstance(plain, Mapping):
        return KandongError("The engine's process reported an error that cannot be read.")
    texts = {name: plain.get(name) for name in ("message", "hint", "field")}
    told = {name: text if isinstance(text, str) else None for name, text in texts.items()}
    kind = _ERRORS.get(str(plain.get("code")), KandongError)
    message = told["message"] or "The engine's process gave no message."
    seconds = plain.get("retry_after_s")
    retry_after_s = seconds if isinstance(seconds, int) else None
    return kind(message, hint=told["hint"], field=told["field"], retry_after_s=retry_after_s)


def to_plain(value: Any) -> Any:
    """Turn dataclasses, errors, enumerations and tuples into what msgpack knows."""
    if isinstance(value, Picture):
        return to_plain(reference(value))
    if isinstance(value, KandongError):
        return error_to_plain(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
        return {_KIND: type(value).__name__, **plain}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal):
        return {_KIND: "Decimal", "text": str(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    return value


def _guarded(restore: Any) -> Any:
    try:
        return restore()
    except KandongError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        # msgspec's ValidationError is a ValueError.
        raise InputError("A message to or from the engine's process does not have the agreed form.") from None


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _restore_fields(kind: type, plain: Mapping[str, Any], ready: Mapping[str, Any]) -> Any:
    """Fill a dataclass; ``ready`` are fields that need no conversion."""
    hints = _hints(kind)
    known = {field.name for field in dataclasses.fields(kind) if field.init}
    if unknown := set(plain) - known - {_KIND}:
        raise ValueError(f"unknown fields {sorted(unknown)}")
    values = {name: _restore(value, hints[name]) for name, value in plain.items() if name in known}
    return kind(**values | dict(ready))


def _restore(value: Any, hint: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _restore_union(value, arguments)
    if isinstance(hint, type) and issubclass(hint, KandongError):
        return error_from_plain(value)
    if hint is Decimal:
        return Decimal(value["text"])
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping) or value.get(_KIND) != hint.__name__:
            raise ValueError(f"not a {hint.__name__}")
        return _restore_fields(hint, value, {})
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError("not a mapping")
        return {_restore(key, arguments[0]): _restore(item, arguments[1]) for key, item in value.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence | set | frozenset):
        return _restore_items(value, origin, arguments)
    return from_plain(value, hint)


def _restore_union(value: Any, members: tuple[Any, ...]) -> Any:
    """Take the member that the value names; a plain value must fit one of the others."""
    if isinstance(value, Mapping) and _KIND in value:
        for member in members:
            if isinstance(member, type) and member.__name__ == value[_KIND]:
                return _restore(value, member)
        raise ValueError("a class that is not expected here")
    for member in members:
        try:
            return _restore(value, member)
        except (ValueError, TypeError):
            continue
    raise ValueError("a value that is not expected here")


def _restore_items(value: Any, origin: type, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        raise TypeError("not a list")
    if origin is tuple and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise ValueError("wrong length")
        return tuple(_restore(item, hint) for item, hint in zip(value, arguments, strict=True))
    items = [_restore(item, arguments[0]) for item in value]
    return set(items) if issubclass(origin, set | frozenset) else tuple(items)
