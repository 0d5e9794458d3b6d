"""Downloading a model while the service runs.

Owns: one download at a time in a thread of its own, its progress, cancelling it, and starting the engine when it ends
well. Must not know: hubs, HTTP.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Literal

import msgspec

from kandong.errors import CancelledError, ConflictError, KandongError
from kandong.models import pull as pulling
from kandong.models.catalogue import DEFAULT_MODEL, full_name
from kandong.server.engine_gate import SupervisedEngine

PullPhase = Literal["idle", "running", "done", "failed", "cancelled"]
_SPEED_OVER_S = 10.0


class PullState(msgspec.Struct, frozen=True):
    """How the newest download is. ``file`` is what is being done; bytes are of the stage under way."""

    state: PullPhase = "idle"
    model: str | None = None
    file: str | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    error: dict[str, Any] | None = None


class _Watcher(pulling.Watcher):
    """Counts, and ends the download when it is no longer wanted."""

    def __init__(self) -> None:
        self.stage = ""
        self.done_bytes = self.total_bytes = 0
        self.cancelled = threading.Event()
        self._times: deque[tuple[float, int]] = deque(maxlen=2_000)

    def begin(self, what: str, total_bytes: int) -> None:
        self.stage, self.total_bytes, self.done_bytes = what, total_bytes, 0
        self._times.clear()

    def advance(self, num_bytes: int) -> None:
        if self.cancelled.is_set():
            raise CancelledError("The download was cancelled.", hint="It goes on from here when it is started again.")
        self.done_bytes += num_bytes
        self._times.append((time.monotonic(), self.done_bytes))

    @property
    def bytes_per_s(self) -> float:
        recent = [(at, done) for at, done in list(self._times) if at > time.monotonic() - _SPEED_OVER_S]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return 0.0
        return max(0.0, (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0]))


class Pulls:
    """Thread-safe."""

    def __init__(self, host: SupervisedEngine) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._watcher = _Watcher()
        self._ended = PullState()
        self._thread: threading.Thread | None = None
        self._model: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether a download is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def state(self) -> PullState:
        """How it is now."""
        watcher = self._watcher
        if not self.is_running:
            return self._ended
        return PullState(
            "running", self._model, watcher.stage, watcher.done_bytes, watcher.total_bytes, round(watcher.bytes_per_s)
        )

    def start(self, model: str | None, source: str | None) -> PullState:
        """Begin a download. Errors: ``ConflictError`` while one runs; those of ``pull`` come in ``state``."""
        with self._lock:
            if self.is_running:
                raise ConflictError(
                    f"{self._model} is being downloaded.", hint="Wait for it, or cancel it: DELETE /api/models/pull."
                )
            self._model = full_name(model or DEFAULT_MODEL) or model
            self._watcher = _Watcher()
            self._thread = threading.Thread(
                target=self._run, args=(model, source or pulling.AUTO, self._watcher), name="pull", daemon=True
            )
            self._host.is_downloading = True
            self._thread.start()
        return self.state

    def cancel(self) -> PullState:
        """End the download; what was fetched is kept. Does nothing if there is none."""
        thread = self._thread
        self._watcher.cancelled.set()
        if thread is not None:
            thread.join(5.0)
        return self.state

    def _run(self, model: str | None, source: str, watcher: _Watcher) -> None:
        try:
            pulled = pulling.pull(model, source, watcher=watcher)
            # Before the end is told: whoever hears of it finds the engine on its way.
            if self._host.state == "downloading":
                self._host.use(pulled.model)
        except CancelledError:
            self._end(PullState("cancelled", self._model, done_bytes=watcher.done_bytes))
        except KandongError as error:
            self._end(PullState("failed", self._model, watcher.stage, watcher.done_bytes, error=error.to_dict()))
        except Exception as error:  # noqa: BLE001 - the edge: a thread has nobody else to tell
            told = KandongError(f"Internal error ({type(error).__name__}).").to_dict()
            self._end(PullState("failed", self._model, error=told))
        else:
            self._end(PullState("done", pulled.model, None, pulled.size_bytes, pulled.size_bytes))

    def _end(self, state: PullState) -> None:
        self._ended = state
        self._host.is_downloading = False
