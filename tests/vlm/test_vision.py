"""The tower in stages: groups of layers, several pictures under way, nothing shared between them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from kandong.vlm import vision
from kandong.vlm.costs import vision_units
from kandong.vlm.memory import forgetting, trim_freed_memory
from kandong.vlm.pixels import Patches, PixelBudget, make_patches
from tests.inspection import golden_engine, tower_of

CONFIG = golden_engine("tied").config


def noise(seed: int, height: int, width: int) -> Patches:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return make_patches(rgb, CONFIG.pixels, PixelBudget())


def test_passes_under_way_at_once_do_not_disturb_each_other() -> None:
    tower = tower_of(golden_engine("tied"))
    pictures = [noise(0, 128, 128), noise(1, 160, 224), noise(2, 128, 128)]
    alone = [tower.encode(p) for p in pictures]
    passes = [tower.start(p) for p in pictures]
    while not all(p.is_done for p in passes):
        for running in passes:
            if not running.is_done:
                running.step()
    for expected, running in zip(alone, passes, strict=True):
        together = running.features()
        np.testing.assert_array_equal(together.merged, expected.merged)
        np.testing.assert_array_equal(together.deepstack, expected.deepstack)


def test_pieces_are_short_and_their_costs_are_those_of_the_picture() -> None:
    tower, config = tower_of(golden_engine("tied")), CONFIG.vision
    kinds = [kind for kind, _ in tower.pieces]
    assert kinds.count("attention") == kinds.count("projections") == kinds.count("rest") == config.depth
    assert kinds.count("tap") == len(config.deepstack_visual_indexes)
    assert tower.num_pieces == 3 * config.depth + len(config.deepstack_visual_indexes) + 3
    for num_patches in (64, 4096):
        units = [tower.piece_units(piece, num_patches) for piece in range(tower.num_pieces)]
        assert min(units) > 0
        assert sum(units) == pytest.approx(vision_units(num_patches))


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_attention_in_slices_gives_what_it_gives_at_once(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "_MIN_ROWS", 8)
    tower = tower_of(golden_engine("tied", precision))
    patches = noise(6, 128, 160)
    expected, running, num_steps = tower.encode(patches), tower.start(patches), 0
    limit = tower.piece_units(3, len(patches.values)) / 3
    assert tower.pieces[3][0] == "attention"
    while not running.is_done:
        if tower.pieces[running.num_pieces_done][0] == "attention":
            assert running.next_units(limit) <= limit
        running.step()
        num_steps += 1
    assert num_steps == tower.num_pieces + 3 * CONFIG.vision.depth
    np.testing.assert_allclose(running.features().merged, expected.merged, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(running.features().deepstack, expected.deepstack, rtol=1e-5, atol=1e-5)


def test_features_are_copies_that_later_pictures_leave_alone() -> None:
    tower = tower_of(golden_engine("tied"))
    features = tower.encode(noise(3, 128, 128))
    before = features.merged.copy(), features.deepstack.copy()
    tower.encode(noise(4, 128, 128))
    np.testing.assert_array_equal(features.merged, before[0])
    np.testing.assert_array_equal(features.deepstack, before[1])


def test_forgetting_goes_on_while_the_block_runs_and_ends_with_it() -> None:
    calls: list[float] = []
    threads = threading.active_count()
    with forgetting(lambda: calls.append(time.monotonic())):
        time.sleep(0.3)
    assert len(calls) >= 3
    assert threading.active_count() == threads
    with pytest.raises(ValueError, match="inside"), forgetting(lambda: calls.append(0)):
        raise ValueError("inside")
    assert calls[-1] == 0


def test_trimming_memory_is_harmless_anywhere() -> None:
    trim_freed_memory()
