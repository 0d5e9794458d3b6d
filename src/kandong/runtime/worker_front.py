"""The engine process's side of the socket: read, check, answer at once what needs no engine, pass on the rest.

Owns: the ROUTER socket, who is connected, and the answer to every byte that comes in. Must not know: engines. Runs in
the process's main thread, so that it answers while a step runs, and hears signals at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zmq

from kandong.errors import EngineUnavailableError, InputError, KandongError, QueueFullError
from kandong.runtime.channel import DoorKeeper, Keys, WorkerFile, bind_server, close_socket, write_file
from kandong.runtime.messages import (
    GENERATE,
    Cancel,
    Drain,
    Ping,
    Pixels,
    Rejected,
    Status,
    Submit,
    ToClient,
    ToWorker,
    WorkerState,
    decode_for_worker,
    encode,
)
from kandong.runtime.waker import Waker
from kandong.runtime.wire import error_to_plain, request_from_wire
from kandong.runtime.worker_loop import (
    CancelCommand,
    EngineLoop,
    Inbox,
    Outbox,
    Owner,
    PixelsCommand,
    SubmitCommand,
)
from kandong.types import Picture, PictureRef

CLIENT_SILENT_S = 60.0  # connected, but stopped or hung
LINGER_MS = 1_000
MAX_CLIENTS = 256
POLL_MS = 1_000
MESSAGES_A_TURN = 64

_GOODBYE_S = 0.3


class Front:
    """Binds the socket and serves it until told to stop."""

    def __init__(self, folder: Path, generation: int, keys: Keys | None, inbox: Inbox, waker: Waker) -> None:
        """Bind, and write where: from then on clients are answered, although the engine is still to be loaded."""
        self._generation = generation
        self._inbox = inbox
        self.outbox = Outbox(waker)
        self._waker = waker
        self._context = zmq.Context[zmq.Socket[bytes]](io_threads=1)
        self._door = DoorKeeper(self._context, keys) if keys else None
        self._socket, self._monitor, self.endpoint = bind_server(self._context, folder, generation, keys)
        self._last_heard: dict[Owner, float] = {}
        self._started = time.monotonic()
        self.loop: EngineLoop | None = None
        self.loading = "starting"
        self.about: dict[str, str | float] = {}
        self.is_stopping = False
        write_file(folder / f"worker-{generation}.json", WorkerFile(self.endpoint, os.getpid()))

    def run(self) -> None:
        """Serve until ``is_stopping`` is set, by any thread that then wakes this one."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        if self._door:
            poller.register(self._door.socket, zmq.POLLIN)
        while not self.is_stopping:
            ready = dict(poller.poll(POLL_MS))
            if self._waker.fileno() in ready:
                self._waker.drain()
            if self._door and self._door.socket in ready:
                self._door.answer()
            if self._socket in ready:
                self._receive()
            self._send_all()
            if self._monitor in ready:
                self._find_the_gone()
            self._forget_the_silent()

    def close(self) -> None:
        """Send what is left, for up to a second, and close."""
        self._send_all()
        # What reaches a client together with the end of its connection is lost now and then: without this pause the
        # last event of 5 in 25 drained requests, with it of none.
        time.sleep(_GOODBYE_S)
        close_socket(self._socket, self._monitor, LINGER_MS)
        if self._door:
            self._door.socket.close()
        self._context.term()

    def drain(self, within_s: float) -> None:
        """Take nothing more; what is under way has this long. Safe in a signal handler of the main thread."""
        self._inbox.drain(time.monotonic() + within_s)

    def _receive(self) -> None:
        for _ in range(MESSAGES_A_TURN):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            owner = frames[0].bytes
            request_id: str | None = None
            try:
                if len(frames) not in (2, 3):
                    raise InputError("A message has one frame, or two with pixels.")
                self._greet(owner)
                message = decode_for_worker(frames[1].buffer)
                request_id = getattr(message, "request_id", None)
                self._handle(owner, message, frames[2:])
            except KandongError as error:
                self._reply(owner, Rejected(request_id, error_to_plain(error)))

    def _greet(self, owner: Owner) -> None:
        if owner not in self._last_heard and len(self._last_heard) >= MAX_CLIENTS:
            raise QueueFullError("Too many clients are connected to the engine.")
        self._last_heard[owner] = time.monotonic()

    def _handle(self, owner: Owner, message: ToWorker, more: Sequence[zmq.Frame]) -> None:
        if more and not isinstance(message, Pixels):
            raise InputError("Only pixels come with a second frame.")
        if isinstance(message, Ping):
            self._reply(owner, self.status())
        elif isinstance(message, Submit):
            self._submit(owner, message)
        elif isinstance(message, Cancel):
            self._inbox.put(CancelCommand(owner, message.request_id))
        elif isinstance(message, Drain):
            self.drain(message.within_s)
        else:
            self._take_pixels(owner, message, more)

    def _submit(self, owner: Owner, message: Submit) -> None:
        if self._inbox.drain_until is not None:
            raise EngineUnavailableError("The engine is stopping.", hint="Send the request again when it runs.")
        if message.task != GENERATE:
            raise InputError(f"The engine does not know the task {message.task!r}.", field="task")
        pictures = [PictureRef(p.digest, p.height_px, p.width_px) for p in message.pictures]
        request = request_from_wire(message.body, pictures)
        if not self._inbox.put(SubmitCommand(owner, message, request)):
            raise QueueFullError("Too many requests wait for the engine.", hint="Try again in a few seconds.")

    def _take_pixels(self, owner: Owner, message: Pixels, more: Sequence[zmq.Frame]) -> None:
        header = message.picture
        if not self._inbox.was_asked(owner, message.request_id, header.digest):
            return  # the request has ended meanwhile
        num_bytes = 3 * header.height_px * header.width_px
        if len(more) != 1 or len(more[0].buffer) != num_bytes:
            raise InputError("A picture's pixels are not as many as its size says.", field="pictures")
        rgb = np.frombuffer(more[0].buffer, np.uint8).reshape(header.height_px, header.width_px, 3)
        command = PixelsCommand(owner, message.request_id, header.digest, Picture(rgb, format="rgb"))
        if not self._inbox.put(command):
            raise QueueFullError("Too many requests wait for the engine.", hint="Try again in a few seconds.")

    def status(self) -> Status:
        """Tell how the process is, without asking the engine anything."""
        loop = self.loop
        state: WorkerState = "loading" if loop is None else "ready"
        if self._inbox.drain_until is not None:
            state = "draining"
        started = loop.step_started if loop else None
        now = time.monotonic()
        return Status(
            state=state,
            generation=self._generation,
            process_id=os.getpid(),
            uptime_s=now - self._started,
            loading="" if loop else self.loading,
            num_waiting=loop.num_waiting if loop else 0,
            num_in_engine=loop.num_in_engine if loop else 0,
            step_ms=(now - started) * 1e3 if started is not None else 0.0,
            telemetry=loop.telemetry if loop else {},
            about=self.about,
        )

    def _reply(self, owner: Owner, message: ToClient) -> None:
        self._send(owner, encode(message))

    def _send_all(self) -> None:
        while (item := self.outbox.take()) is not None:
            self._send(*item)

    def _send(self, owner: Owner, data: bytes) -> None:
        try:
            self._socket.send_multipart([owner, data], zmq.NOBLOCK)
        except zmq.ZMQError:  # it has gone, or reads so little that it might as well have
            self._drop(owner)

    def _drop(self, owner: Owner) -> None:
        if self._last_heard.pop(owner, None) is not None:
            self._inbox.put(CancelCommand(owner, None))

    def _find_the_gone(self) -> None:
        """Some connection has ended: write to all, because a socket tells whom it cannot reach only then."""
        while self._monitor.poll(0):
            self._monitor.recv_multipart()
        status = encode(self.status())
        for owner in list(self._last_heard):
            self._send(owner, status)

    def _forget_the_silent(self) -> None:
        oldest = time.monotonic() - CLIENT_SILENT_S
        for owner in [o for o, heard in self._last_heard.items() if heard < oldest]:
            self._drop(owner)
