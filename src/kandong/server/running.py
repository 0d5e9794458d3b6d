"""One web process: the engine, everything opened around it, and the application.

Owns: the order of beginning and end. Must not know: which web server carries it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kandong.runtime.supervisor import SupervisorOptions
from kandong.server.app import create_app
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.settings import Settings

_SAY_EVERY_S = 0.1
_LOOK_EVERY_S = 2.0


def engine_options(settings: Settings) -> SupervisorOptions:
    """Give what the settings say about the engine's process."""
    engine = {
        "precision": settings.precision,
        "compute": settings.compute,
        "num_threads": settings.cpu_threads,
        "context_tokens": settings.context_tokens,
        "kv_cache_bytes": None if settings.kv_cache_mib is None else settings.kv_cache_mib * 2**20,
        "convert": settings.convert,
        "keep_features": settings.keep_features,
    }
    transport = None if settings.engine_transport == "auto" else settings.engine_transport
    return SupervisorOptions(engine=engine, transport=transport, drain_s=settings.drain_s)


class Service:
    """Begins with its construction, in the process that serves; ``drain``, then ``close``."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Open everything and start the engine, without waiting for it. Errors: ``StorageError``."""
        self._settings = settings
        self._say = say
        self.engine = SupervisedEngine(settings.model, engine_options(settings)).start()
        try:
            self.services = open_services(settings, self.engine)
        except BaseException:
            self.engine.stop()
            raise
        self.app = create_app(self.services)
        self._is_closed = False
        threading.Thread(target=self._watch_engine, name="engine-states", daemon=True).start()

    def drain(self) -> None:
        """Refuse new work, and let what is under way end for up to ``drain_s``; then end the engine."""
        self._is_closed = True
        self.services.admission.begin_drain()
        self._say("stopping: running answers may end")
        if not self.services.admission.wait_idle(self._settings.drain_s):
            self._say("stopping: some answers did not end in time and were cut off")
        self.engine.stop()

    def close(self) -> None:
        """Close everything. Idempotent."""
        self._is_closed = True
        self.engine.stop()
        close_services(self.services)

    def _watch_engine(self) -> None:
        """Say what becomes of the engine, once for each change; start it once `kandong pull` has brought weights."""
        said, looked = "", time.monotonic()
        while not self._is_closed:
            if self.engine.state == "missing" and time.monotonic() - looked > _LOOK_EVERY_S:
                looked = time.monotonic()
                self.engine.start()
            if (told := self._state_in_words()) != said:
                said = told
                self._say(told)
            time.sleep(_SAY_EVERY_S)

    def _state_in_words(self) -> str:
        state = self.engine.state
        if state in ("starting", "restarting"):
            status = self.engine.status
            return f"model: {status.loading or 'loading'}" if status else "model: starting"
        if state == "missing":
            return "model: its weights are not here; `kandong pull` or the page fetches them, reading works meanwhile"
        if state == "failed":
            error = self.engine.error
            return f"model: {error.message if error else 'cannot be loaded'}"
        return f"model: {self.engine.model_name} is {state}"
