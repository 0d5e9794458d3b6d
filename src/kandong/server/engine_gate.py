"""The engine behind the web process: perhaps missing, loading, dead for a moment, or exchanged for another model.

Owns: what handlers and admission see of it; which model runs, its supervisor and the one client of it. Must not know:
HTTP, who asks. Thread-safe.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from kandong.errors import EngineUnavailableError, KandongError, ModelNotFoundError
from kandong.models.catalogue import FoundModel, find_model
from kandong.models.demo import DEMO_MODEL
from kandong.runtime.client import EngineClient
from kandong.runtime.handle import Handle
from kandong.runtime.messages import Status
from kandong.runtime.supervisor import Supervisor, SupervisorOptions
from kandong.vlm.config import ModelConfig, read_model_config
from kandong.vlm.request import Priority, Request

_STATES = {"stopped": "unavailable"}
_HEALTH_S = 0.3


class EngineGate(Protocol):
    """The engine as handlers see it: perhaps not there yet."""

    @property
    def state(self) -> str:
        """One of ready, starting, restarting, missing, downloading, failed, unavailable."""

    @property
    def model_name(self) -> str | None:
        """The name that clients ask for it by."""

    @property
    def config(self) -> ModelConfig:
        """What the checkpoint says. Errors: ``ModelNotFoundError``, ``EngineUnavailableError`` while there is none."""

    def submit(self, request: Request, *, client: str, priority: Priority = Priority.INTERACTIVE) -> Handle:
        """As ``EngineClient.submit``. Errors: its own, and those of ``config``."""


class EngineHost(EngineGate, Protocol):
    """What runs the engine, and counts."""

    def metrics(self) -> dict[str, float]:
        """Give counters, with the rates that the engine has learnt."""


class _Running:
    """One model with its supervisor, its client and what its checkpoint says."""

    def __init__(self, found: FoundModel, options: SupervisorOptions) -> None:
        self.found = found
        self.is_demo = found.is_demo
        self.config: ModelConfig = read_model_config(found.folder)
        engine = dict(options.engine) | {"model": str(found.folder)}
        self.supervisor = Supervisor(replace(options, engine=engine)).start()
        self.client = EngineClient(self.supervisor.folder)

    def stop(self, drain_s: float) -> None:
        self.supervisor.stop(drain_s)
        self.client.close()


class SupervisedEngine:
    """Runs one model at a time in a process of its own. ``start`` it, ``stop`` it."""

    def __init__(self, model: str | None = None, options: SupervisorOptions | None = None) -> None:
        """``model`` is a name or path as ``find_model`` takes it; ``options.engine`` are arguments of ``Kandong``."""
        self._wanted = model
        self._options = options or SupervisorOptions()
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._error: KandongError | None = None
        self.is_downloading = False

    def start(self) -> SupervisedEngine:
        """Start the wanted model if it is on this machine; returns at once. Why it could not is in ``error``."""
        with self._lock:
            if self._running is None:
                self._error = None
                try:
                    self._running = _Running(find_model(self._wanted), self._options)
                except KandongError as error:
                    self._error = error
        return self

    def use(self, model: str | None) -> None:
        """Run another model instead. Errors: ``ModelNotFoundError``, ``CheckpointError``; then nothing has changed."""
        read_model_config(find_model(model).folder)
        with self._lock:
            before, self._running, self._wanted = self._running, None, model
        if before is not None:
            before.stop(0)
        self.start()

    def stop(self, drain_s: float = 0.0) -> None:
        """End the engine; what is under way has ``drain_s`` to finish. Idempotent."""
        with self._lock:
            before, self._running = self._running, None
        if before is not None:
            before.stop(drain_s)

    @property
    def state(self) -> str:
        """See ``EngineGate.state``."""
        running = self._running
        if running is not None:
            return _STATES.get(running.supervisor.state, running.supervisor.state)
        if self._error is not None and not isinstance(self._error, ModelNotFoundError):
            return "failed"
        return "downloading" if self.is_downloading else "missing"

    def responding_state(self) -> str:
        """As ``state``, but asks the process, and so sees one that stands still; takes up to 0.3 s."""
        running = self._running
        state = self.state
        return running.client.health(_HEALTH_S).state if running is not None and state == "ready" else state

    @property
    def is_demo(self) -> bool:
        """Whether what runs is the small demonstration model."""
        running = self._running
        return running is not None and running.is_demo

    @property
    def has_demo(self) -> bool:
        """Whether the demonstration model is on this machine."""
        try:
            find_model(DEMO_MODEL)
        except KandongError:
            return False
        return True

    @property
    def error(self) -> KandongError | None:
        """Why there is no engine, if there is none and it is known."""
        running = self._running
        if running is None:
            return self._error
        return running.client.health(0.2).error if running.supervisor.state == "failed" else None

    @property
    def model_name(self) -> str | None:
        """See ``EngineGate.model_name``."""
        running = self._running
        return running.found.name if running else None

    @property
    def config(self) -> ModelConfig:
        """See ``EngineGate.config``."""
        return self._there().config

    @property
    def model_folder(self) -> Path:
        """Where the checkpoint lies. Errors: as ``config``."""
        return self._there().found.folder

    @property
    def status(self) -> Status | None:
        """What the process last said of itself."""
        running = self._running
        return running.supervisor.status if running else None

    @property
    def process_id(self) -> int | None:
        """The engine's process, while there is one."""
        running = self._running
        return running.supervisor.process_id if running else None

    def submit(self, request: Request, *, client: str, priority: Priority = Priority.INTERACTIVE) -> Handle:
        """See ``EngineGate.submit``."""
        return self._there().client.submit(request, client=client, priority=priority)

    def metrics(self) -> dict[str, float]:
        """Give counters of the engine and of the client; empty while there is none."""
        running = self._running
        return running.client.metrics() if running else {}

    def wait_ready(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the engine is loaded; gives facts about it. Errors: as ``Supervisor.wait_ready``, ``config``."""
        return self._there().supervisor.wait_ready(timeout_s).about

    def _there(self) -> _Running:
        running = self._running
        if running is not None:
            return running
        if self._error is not None and not isinstance(self._error, ModelNotFoundError):
            raise self._error
        raise EngineUnavailableError(
            "No model is loaded: its weights are not on this machine.",
            hint="Fetch them with `kandong pull` or POST /api/models/pull; reading and rules work meanwhile.",
        )
