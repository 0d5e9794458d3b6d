"""What clients and the engine's process say to each other: typed, capped, and nothing but data.

Owns: the messages, their caps, and bytes ↔ message (msgpack by msgspec; never pickle, which runs what it reads).
Must not know: sockets, engines. Any thread may call it.

    client → process   Submit, Cancel, Pixels (with a second frame: the raw pixels), Ping, Drain
    process → client   Events, PixelsNeeded, Rejected, Status
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from kandong.errors import InputError, KandongError
from kandong.typed_values import from_msgpack

MAX_MESSAGE_BYTES = 4 * 2**20
MAX_PIXELS_BYTES = 3 * 40_000_000  # one picture at the cap of reading.images
MAX_PICTURES = 256
MAX_PICTURE_BYTES_OF_A_REQUEST = 2**30

RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
SidePx = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
GENERATE = "generate"  # the task of a vision-language request

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
WorkerState = Literal["loading", "ready", "draining"]


class _Message(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    pass


class PictureHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A picture by the SHA-256 of its size and pixels."""

    digest: Digest
    height_px: SidePx
    width_px: SidePx


class Submit(_Message):
    """Work to do. ``task`` names its kind; ``body`` are the plain values of that kind's request."""

    request_id: RequestId
    task: Annotated[str, msgspec.Meta(max_length=32)]
    body: dict[str, Any]
    pictures: Annotated[list[PictureHeader], msgspec.Meta(max_length=MAX_PICTURES)] = []
    client: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] = "local"
    priority: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0


class Cancel(_Message):
    """The request is no longer wanted."""

    request_id: RequestId


class Pixels(_Message):
    """One picture that was asked for; its RGB bytes, row by row, are the message's second frame."""

    request_id: RequestId
    picture: PictureHeader


class Ping(_Message):
    """A sign of life of a client; answered with ``Status``."""


class Drain(_Message):
    """Take nothing more, finish what is under way within ``within_s``, then exit."""

    within_s: Seconds


class PixelsNeeded(_Message):
    """The engine does not know these pictures of a request."""

    request_id: str
    digests: list[str]


class Events(_Message):
    """What came of one step, for one client: pairs of request id and event, in order."""

    items: list[tuple[str, dict[str, Any]]]


class Rejected(_Message):
    """A message that was not taken; ``request_id`` where it could be read."""

    request_id: str | None
    error: dict[str, Any]


class Status(_Message):
    """How the process is.

    ``loading`` says what it does before it has an engine, and is empty from then on. ``step_ms`` is how long the
    engine's step under way has lasted, 0 between steps. ``about`` are facts about the loaded engine, as
    ``worker_engine.py`` gives them.
    """

    state: WorkerState
    generation: int
    process_id: int
    uptime_s: float
    loading: str
    num_waiting: int
    num_in_engine: int
    step_ms: float
    telemetry: dict[str, float]
    about: dict[str, str | float]


ToWorker = Submit | Cancel | Pixels | Ping | Drain
ToClient = Events | PixelsNeeded | Rejected | Status


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain_number)
_sorting_encoder = msgspec.msgpack.Encoder(order="deterministic")


def encode(message: ToWorker | ToClient) -> bytes:
    """Turn a message into bytes. Errors: ``InputError`` if they are too many; ``KandongError`` if it is not plain."""
    try:
        data = _encoder.encode(message)
    except (TypeError, ValueError, OverflowError):
        raise KandongError("A value of a kind that cannot be sent to or from the engine's process.") from None
    if len(data) > MAX_MESSAGE_BYTES:
        raise InputError(
            f"The request has {len(data):,} bytes of text and options, allowed are {MAX_MESSAGE_BYTES:,}.",
            hint="Shorten the text.",
            field="messages",
        )
    return data


def decode_for_worker(data: bytes | memoryview) -> ToWorker:
    """Read what a client sent. Errors: ``InputError`` for anything but a whole, known message within its caps."""
    message: ToWorker = _decode(ToWorker, data)
    return message


def decode_for_client(data: bytes | memoryview) -> ToClient:
    """Read what the engine's process sent. Errors: as ``decode_for_worker``."""
    message: ToClient = _decode(ToClient, data)
    return message


def _decode(kind: Any, data: bytes | memoryview) -> Any:
    if len(data) > MAX_MESSAGE_BYTES:
        raise InputError(f"A message has {len(data):,} bytes, allowed are {MAX_MESSAGE_BYTES:,}.")
    try:
        return from_msgpack(data, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InputError("A message to or from the engine's process does not have the agreed form.") from None


def content_digest(message: Submit) -> bytes:
    """Give the SHA-256 (32 bytes) of what is asked, whoever asks it and by when: task, body and pictures."""
    body = {name: value for name, value in message.body.items() if name != "deadlines"}
    asked = (message.task, body, message.pictures)
    return hashlib.sha256(_sorting_encoder.encode(asked)).digest()
