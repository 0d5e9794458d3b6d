"""Opens the model that a process's settings name.

Owns: settings → a loaded engine. Must not know: sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kandong.errors import InputError
from kandong.runtime.local import Kandong
from kandong.runtime.worker import OpenedEngine


def open_engine(settings: dict[str, Any], report: Callable[[str], None]) -> OpenedEngine:
    """Load an engine by the arguments of ``Kandong``. Errors: as ``Kandong``; ``InputError`` for an unknown one."""
    try:
        kandong = Kandong(**settings, report=report)
    except TypeError:
        known = [name for name in (Kandong.__init__.__kwdefaults__ or {}) if name != "report"]
        if unknown := sorted(set(settings) - {"model", *known}):
            raise InputError(f"Unknown engine settings: {', '.join(unknown)}.", field=unknown[0]) from None
        raise
    engine = kandong.engine
    about: dict[str, str | float] = {
        "model": kandong.model_name,
        "weights": str(engine.numerics.weights),
        "compute": str(engine.numerics.compute),
        "kv_cache": engine.numerics.kv_cache,
        "context_tokens": engine.context_tokens,
        "load_ms": engine.load_ms,
    }
    return OpenedEngine(engine, about)
