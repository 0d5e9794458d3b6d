"""The miniature that ships with Kandong: a demonstration and a test instrument, no substitute for Qwen3-VL.

Owns: where it lies, and how it is told from other models. Must not know: engines, HTTP.
"""

from __future__ import annotations

import json
from pathlib import Path

DEMO_MODEL = "mini"
# A key of its config.json, so that a copy or a conversion elsewhere is known for what it is as well.
DEMO_MARK = "kandong_demonstration"
DEMO_NOTICE = (
    "this answer is the demonstration model's: it reads nothing but small promotion cards like its samples; "
    "for other pictures get Qwen3-VL-2B with `kandong pull`."
)
_FOLDER = Path(__file__).parent / DEMO_MODEL


def demo_folder() -> Path:
    """Give the folder of the miniature, whether it is there or not: a checkout may come without the weights."""
    return _FOLDER


def is_demo_model(folder: Path) -> bool:
    """Tell whether a model folder holds the miniature, or a conversion of it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get(DEMO_MARK) is True
