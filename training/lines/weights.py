"""The graph that is trained further, as RapidOCR's wheel brings it.

Owns: opening it. Must not know: torch, which only the training itself has.
"""

from __future__ import annotations

import functools
from typing import Any

import openvino

from kandong.reading.ocr import recogniser_weights


@functools.cache
def weights_model() -> Any:
    """Open the recogniser's graph. Errors: ``ModelError`` where RapidOCR's weights are missing."""
    return openvino.Core().read_model(recogniser_weights())
