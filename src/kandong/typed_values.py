"""JSON, MessagePack and plain values turned into types, from any thread.

Owns: that what msgspec knows of a type is made by one thread at a time. Must not know: the types.

msgspec makes it at a type's first use and hands it to other threads before it is whole: two first requests at once end
the process with a segmentation fault (0.22.0). So it is made here under a lock, before anything is decoded.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar, overload

import msgspec

T = TypeVar("T")

_lock: Final = threading.Lock()
_json: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}
_msgpack: Final[dict[Any, msgspec.msgpack.Decoder[Any]]] = {}


@overload
def from_json(data: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(data: bytes | str, kind: Any) -> Any: ...
def from_json(data: bytes | str, kind: Any) -> Any:
    """Decode JSON into a type. Errors: ``msgspec.DecodeError``, of which ``ValidationError`` is one."""
    return _json_decoder(kind).decode(data)


@overload
def from_msgpack(data: bytes | memoryview, kind: type[T]) -> T: ...
@overload
def from_msgpack(data: bytes | memoryview, kind: Any) -> Any: ...
def from_msgpack(data: bytes | memoryview, kind: Any) -> Any:
    """Decode MessagePack into a type. Errors: as ``from_json``."""
    if (decoder := _msgpack.get(kind)) is None:
        with _lock:
            decoder = _msgpack.setdefault(kind, msgspec.msgpack.Decoder(kind))
    return decoder.decode(data)


@overload
def from_plain(value: Any, kind: type[T], *, strict: bool = ...) -> T: ...
@overload
def from_plain(value: Any, kind: Any, *, strict: bool = ...) -> Any: ...
def from_plain(value: Any, kind: Any, *, strict: bool = True) -> Any:
    """Turn plain values into a type; without ``strict`` "3" counts as 3. Errors: ``msgspec.ValidationError``."""
    _json_decoder(kind)  # makes what is known of the type
    return msgspec.convert(value, kind, strict=strict)


def _json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    if (decoder := _json.get(kind)) is None:
        with _lock:
            decoder = _json.setdefault(kind, msgspec.json.Decoder(kind))
    return decoder
