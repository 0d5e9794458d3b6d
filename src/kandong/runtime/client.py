"""The way to the engine's process, the same for a web server, the command line and Python.

Owns: the public interface; what may be in flight. Must not know: how an answer comes to be, who asks. Thread-safe; one
thread of its own (``client_thread.py``) does all talking. Make it after a fork, not before.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kandong.errors import EngineUnavailableError, InputError, KandongError, QueueFullError
from kandong.runtime.channel import check_private_folder
from kandong.runtime.client_thread import ClientThread, Health
from kandong.runtime.handle import Handle, checked_deadlines
from kandong.runtime.messages import GENERATE, MAX_PICTURES, PictureHeader, Submit, encode
from kandong.runtime.wire import request_to_wire
from kandong.types import Picture
from kandong.vlm.request import Deadlines, Event, Priority, Request

__all__ = ["Deadlines", "EngineClient", "Handle", "Health"]


@dataclass(frozen=True)
class ClientOptions:
    """Bounds of one client."""

    max_in_flight: int = 512
    kept_picture_bytes: int = 64 * 2**20


class EngineClient:
    """Submits requests to the engine whose supervisor keeps ``folder``."""

    def __init__(self, folder: Path, options: ClientOptions | None = None) -> None:
        """Begin to look for the engine; it need not run yet. Errors: ``InputError`` if others may enter the folder."""
        check_private_folder(folder)
        self._options = options or ClientOptions()
        self._process_id = os.getpid()
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._kept_lock = threading.Lock()
        self._thread = ClientThread(folder, self._find_picture)

    def submit(
        self,
        request: Request,
        *,
        client: str = "local",
        priority: Priority = Priority.INTERACTIVE,
    ) -> Handle:
        """Send a request on its way; everything after that, errors too, comes as events of the handle.

        ``client`` is whose turn it counts as. A picture may be given by a ``PictureRef`` whose pixels were sent lately.
        Deadlines hold here too, so that a request ends in time though the engine hangs; without one it has 15 minutes.
        Errors: ``InputError`` (too long, too many pictures, a deadline), ``QueueFullError``,
        ``EngineUnavailableError`` (closed).
        """
        if os.getpid() != self._process_id:
            raise KandongError("This client was made before a fork.", hint="Make an EngineClient in each process.")
        if self._thread.num_in_flight >= self._options.max_in_flight:
            raise QueueFullError(
                f"{self._options.max_in_flight} requests are in flight.", hint="Wait until some of them are done."
            )
        deadlines = checked_deadlines(request.deadlines)
        body, refs = request_to_wire(request)
        if len(refs) > MAX_PICTURES:
            raise InputError(f"{len(refs)} pictures, allowed are {MAX_PICTURES}.", field="pictures")
        message = Submit(
            request_id=uuid.uuid4().hex,
            task=GENERATE,
            body=body,
            pictures=[PictureHeader(ref.digest, ref.height_px, ref.width_px) for ref in refs],
            client=client[:128] or "local",
            priority=int(priority),
        )
        encode(message)  # too long is the caller's to hear at once
        pictures = {picture.digest: picture for picture in request.pictures if isinstance(picture, Picture)}
        self._keep(pictures)
        handle = Handle(message, pictures, deadlines, self._thread.cancel)
        if not self._thread.submit(handle):
            raise EngineUnavailableError("This client of the engine is closed.")
        return handle

    def generate(
        self,
        request: Request,
        *,
        client: str = "local",
        priority: Priority = Priority.INTERACTIVE,
    ) -> Iterator[Event]:
        """Answer a request as the engine's own ``generate`` does: events, an ``Answer`` last, failures raised.

        Closing the iterator cancels. Errors: those of the engine; ``EngineProcessError``; ``CancelledError``.
        """
        yield from self.submit(request, client=client, priority=priority).answered_events()

    def health(self, timeout_s: float = 1.0) -> Health:
        """Ask how the engine is; answers within ``timeout_s`` whatever has happened to it."""
        return self._thread.health(timeout_s)

    def metrics(self) -> dict[str, float]:
        """Give counters of this client (``client_*``) and what the engine last told of itself (``engine_*``)."""
        return self._thread.metrics()

    def close(self) -> None:
        """Cancel what is in flight and stop. Idempotent."""
        self._thread.close()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, pictures: dict[str, Picture]) -> None:
        """Remember the newest pictures, so that a digest alone will do for a while."""
        with self._kept_lock:
            for digest, picture in pictures.items():
                self._kept[digest] = picture
                self._kept.move_to_end(digest)
            while sum(p.rgb.nbytes for p in self._kept.values()) > self._options.kept_picture_bytes:
                self._kept.popitem(last=False)

    def _find_picture(self, digest: str) -> Picture | None:
        with self._kept_lock:
            return self._kept.get(digest)
