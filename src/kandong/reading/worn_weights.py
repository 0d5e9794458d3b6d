"""The recogniser's weights as trained further on worn lines: where they lie, how they take their places in its graph.

Owns: the file, and that it fits. Must not know: how lines are read, which lines are worn.

PP-OCR was trained on sharper print than what reaches a shop after five people have posted it on. The same graph was
trained further on worn lines (training/lines); the file holds the constants that changed, in half precision. The last
matrix, which names the characters, did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino.opset13 as opset
from safetensors import SafetensorError, safe_open

from kandong.errors import ModelError

_FILE: Final = Path(__file__).parent / "weights" / "worn_lines.safetensors"
_INSTALL_AGAIN: Final = "Install again: pip install --force-reinstall kandong"


def worn_weights() -> Path:
    """Name the file. Errors: ``ModelError`` where it is missing."""
    if not _FILE.is_file():
        raise ModelError("The OCR weights for worn lines are missing from this installation.", hint=_INSTALL_AGAIN)
    return _FILE


def put_weights(model: Any, file: Path | None = None) -> None:
    """Put the constants of a file, the installed one if none is given, into an opened graph, in place, by their names.

    Errors: ``ModelError`` if the file is missing or damaged, or if the graph has no such constant of that shape.
    """
    constants = {op.get_friendly_name(): op for op in model.get_ops() if op.get_type_name() == "Constant"}
    try:
        with safe_open(file or worn_weights(), framework="numpy") as opened:
            changed = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise ModelError("The OCR weights for worn lines are damaged.", hint=_INSTALL_AGAIN) from error
    for name, values in changed.items():
        old = constants.get(name)
        if old is None or list(old.shape) != list(values.shape):
            raise ModelError("The OCR weights for worn lines do not fit this version of rapidocr.", hint=_INSTALL_AGAIN)
        new = opset.constant(values.astype(np.float32))
        for target in old.output(0).get_target_inputs():
            target.replace_source_output(new.output(0))
