"""Dense pictures in tiles: the fast path answers as the plain one does.

The miniature was shown one card at a time, so what it says of several tiles at once makes no sense; that both paths say
the same of every one still holds features, positions and drafts of several pictures to the plain path's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kandong import Kandong
from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.runtime.conversation import AnsweringEngine
from kandong.tasks.analyse import analyse
from kandong.tasks.dense import tiles_of
from kandong.tasks.post import Post
from kandong.tasks.prompt_files import Prompts, load_prompts
from kandong.types import Picture
from kandong.vlm.pixels import PixelBudget

from .held_out import CARDS, FOLDER, IS_HERE, all_asked, plain

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
CARDS_EACH = 10


def stacked(names: list[str]) -> Picture:
    """Put cards below each other, narrow ones widened by their edge."""
    cards = [load_picture(CARDS / name).rgb for name in names]
    width = max(card.shape[1] for card in cards)
    rows = [np.pad(card, ((0, 0), (0, width - card.shape[1]), (0, 0)), mode="edge") for card in cards]
    return Picture(np.ascontiguousarray(np.vstack(rows)), "PNG")


def known_prompts(folder: Path) -> Prompts:
    """The product's prompts, with words that the miniature knows where it is asked for a page."""
    for name, text in (("system", ""), ("page", "图中写了什么？")):
        (folder / f"{name}.txt").write_text(f"版本: mini\n{text}\n", "utf-8")
    return load_prompts(folder)


def test_tiles_are_read_alike_with_all_that_makes_the_engine_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    (tmp_path / "prompts").mkdir()
    prompts = known_prompts(tmp_path / "prompts")
    files = sorted({one.file for one in all_asked()})
    pictures = [stacked(files[start : start + CARDS_EACH]) for start in range(0, 4 * CARDS_EACH, CARDS_EACH)]
    pixels = plain().engine.config.pixels
    assert all(len(tiles_of(picture, read_picture(picture), pixels, PixelBudget())) >= 2 for picture in pictures)

    def read(engine: AnsweringEngine, picture: Picture) -> dict[str, Any]:
        report = analyse(Post("", (picture,)), ["read"], engine, mode="model", prompts=prompts)["read"]
        assert report["status"] in ("ok", "partial")
        result: dict[str, Any] = report["result"]
        return result

    wanted = [read(plain().engine, picture) for picture in pictures]
    said = [one["images"][0]["model_text"] for one in wanted]
    assert all(said)
    assert len(set(said)) == len(said)
    with Kandong(FOLDER, precision="f32") as kandong, ThreadPoolExecutor(4) as pool:
        for _ in range(2):  # the second time from the caches
            assert list(pool.map(lambda picture: read(kandong.engine, picture), pictures)) == wanted
