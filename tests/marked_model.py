"""A model that is marked as the miniature, in the miniature's place: random weights, and sample cards.

Owns: making one. Must not know: what is tested.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kandong.models import demo
from tests.inspection import GOLDEN

CARD = Path(__file__).resolve().parents[1] / "samples" / "card.png"
SAMPLE = {"name": "price", "title_zh": "现价", "title_en": "Price", "question_zh": "价格是多少？", "expected": "85"}


def put_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the random golden checkpoint, with the mark and one sample card, be the miniature."""
    shutil.copytree(GOLDEN / "tied", folder, ignore=shutil.ignore_patterns("*.npz"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {demo.DEMO_MARK: True}), "utf-8")
    (folder / "samples").mkdir()
    (folder / "samples" / "samples.json").write_text(json.dumps([SAMPLE]), "utf-8")
    (folder / "samples" / "price.png").write_bytes(CARD.read_bytes())
    monkeypatch.setattr(demo, "_FOLDER", folder)
    for variable in ("HF_HUB_CACHE", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(variable, str(folder.parent / "nothing"))
