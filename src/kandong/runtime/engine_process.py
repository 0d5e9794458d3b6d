"""An engine in a process of its own that is used like one in this process: for ``Kandong(process=True)``.

Owns: a supervisor and a client together, and their end. Must not know: questions, pictures.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kandong.runtime.client import EngineClient
from kandong.runtime.supervisor import Supervisor, SupervisorOptions
from kandong.vlm.config import ModelConfig, read_model_config
from kandong.vlm.device import Compute, Numerics
from kandong.vlm.request import Event, Priority, Request
from kandong.vlm.weights import WeightType

_LOOK_EVERY_S = 0.05


class EngineProcess:
    """A loaded model in another process. Thread-safe. Ends with ``close``, or with this process at the latest."""

    def __init__(self, folder: Path, settings: dict[str, Any], report: Callable[[str], None]) -> None:
        """Start the process and wait until it has loaded; ``settings`` are the arguments of ``Kandong`` in it.

        ``folder`` is the model's. Errors: what it could not be loaded for; ``EngineUnavailableError``.
        """
        self.config: ModelConfig = read_model_config(folder)
        supervisor = Supervisor(SupervisorOptions(engine=settings)).start()
        try:
            self.client = EngineClient(supervisor.folder)
            self.close = weakref.finalize(self, _close, self.client, supervisor)
            about = _await_loaded(supervisor, report)
        except BaseException:
            supervisor.stop(0)
            raise
        self.supervisor = supervisor
        self.load_ms = float(about["load_ms"])
        self.context_tokens = int(about["context_tokens"])
        self.numerics = Numerics(WeightType(about["weights"]), Compute(about["compute"]), str(about["kv_cache"]))

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:
        """Answer a request, as ``Engine.generate``. Errors: its own, and ``EngineProcessError``."""
        return self.client.generate(request, priority=priority)


def _await_loaded(supervisor: Supervisor, report: Callable[[str], None]) -> dict[str, Any]:
    said = ""
    while supervisor.state in ("starting", "restarting"):
        status = supervisor.status
        if status is not None and status.loading not in ("", said):
            said = status.loading
            report(said)
        time.sleep(_LOOK_EVERY_S)
    return supervisor.wait_ready(0).about


def _close(client: EngineClient, supervisor: Supervisor) -> None:
    client.close()
    supervisor.stop(0)
