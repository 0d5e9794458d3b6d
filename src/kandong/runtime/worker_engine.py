"""Opens the model that a process's settings name.

Owns: settings → a loaded engine. Must not know: sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kandong.errors import InputError
from kandong.runtime.engine_protocol import StepEngine
from kandong.runtime.local import Kandong


def open_engine(settings: dict[str, Any], report: Callable[[str], None]) -> StepEngine:
    """Load an engine by the arguments of ``Kandong``. Errors: as ``Kandong``; ``InputError`` for an unknown one."""
    try:
        return Kandong(**settings, report=report).engine
    except TypeError:
        known = [name for name in (Kandong.__init__.__kwdefaults__ or {}) if name != "report"]
        if unknown := sorted(set(settings) - {"model", *known}):
            raise InputError(f"Unknown engine settings: {', '.join(unknown)}.", field=unknown[0]) from None
        raise
