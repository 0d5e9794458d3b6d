"""Kandong (看懂): understands pictures and words of social-media posts with Qwen3-VL on an ordinary CPU.

Owns: the public names. They are loaded on first use, so that ``import kandong`` is quick and needs no OpenVINO.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kandong.client import Client as Client
    from kandong.errors import KandongError as KandongError
    from kandong.runtime.local import Answer as Answer
    from kandong.runtime.local import Chat as Chat
    from kandong.runtime.local import Kandong as Kandong
    from kandong.runtime.local import Progress as Progress
    from kandong.runtime.local import TextPiece as TextPiece
    from kandong.types import Picture as Picture

__version__ = "0.1.0"

# `import openvino` reports each start to Google Analytics through this package, unless it cannot be imported; OpenVINO
# then takes a stub of its own. Nothing leaves the machine, so it must not be there before openvino is.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

_HOMES = {
    "Answer": "kandong.runtime.local",
    "Chat": "kandong.runtime.local",
    "Client": "kandong.client",
    "Kandong": "kandong.runtime.local",
    "KandongError": "kandong.errors",
    "Picture": "kandong.types",
    "Progress": "kandong.runtime.local",
    "TextPiece": "kandong.runtime.local",
}

__all__ = ["Answer", "Chat", "Client", "Kandong", "KandongError", "Picture", "Progress", "TextPiece", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kandong' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
