"""The engine as handlers see it: each request is admitted before it is sent on its way.

Owns: that nothing reaches the engine past admission. Must not know: routes, how admission decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kandong.runtime.handle import Handle
from kandong.server.admission import Admission
from kandong.server.engine_gate import EngineHost
from kandong.server.prediction import predict_s
from kandong.vlm.config import ModelConfig
from kandong.vlm.request import Priority, Request


class AdmittedEngine:
    """An ``EngineGate`` around what runs the engine."""

    def __init__(self, host: EngineHost, admission: Admission) -> None:
        self._host = host
        self._admission = admission

    @property
    def state(self) -> str:
        """See ``EngineGate.state``."""
        return self._host.state

    @property
    def model_name(self) -> str | None:
        """See ``EngineGate.model_name``."""
        return self._host.model_name

    @property
    def config(self) -> ModelConfig:
        """See ``EngineGate.config``."""
        return self._host.config

    def submit(self, request: Request, *, client: str, priority: Priority = Priority.INTERACTIVE) -> Handle:
        """Send a request on its way if it may start now; ``client`` is its owner.

        Prompts of different owners share no prefix, as the time of an answer would tell what others asked.
        Work ahead of a question costs nobody anything and is never counted. Errors: those of ``EngineGate.submit``,
        and of ``Admission.admit``.
        """
        config = self._host.config
        request = replace(request, cache_salt=request.cache_salt or client)
        if priority is Priority.WARM_UP:
            return self._host.submit(request, client=client, priority=priority)
        handles: list[Handle] = []

        def start() -> Callable[[], bool]:
            handle = self._host.submit(request, client=client, priority=priority)
            handles.append(handle)
            return lambda: handle.is_done

        self._admission.admit(client, predict_s(request, config, self._host.metrics()), start)
        return handles[0]
