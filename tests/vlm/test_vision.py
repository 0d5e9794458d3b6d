"""The tower in stages: groups of layers, several pictures under way, nothing shared between them."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest

from kandong.vlm.memory import forgetting, trim_freed_memory
from kandong.vlm.pixels import Patches, PixelBudget, make_patches
from kandong.vlm.vision import plan_groups
from tests.inspection import golden_engine, tower_of

CONFIG = golden_engine("tied").config


@pytest.mark.parametrize("num_layers", [1, 2, 3, 6, 99])
@pytest.mark.parametrize(("depth", "taps"), [(24, (5, 11, 17)), (27, (8, 16, 24)), (6, (1, 2, 4)), (4, (0, 1, 2))])
def test_groups_hold_every_layer_once_and_end_at_taps(num_layers: int, depth: int, taps: tuple[int, ...]) -> None:
    config = dataclasses.replace(CONFIG.vision, depth=depth, deepstack_visual_indexes=taps)
    groups = plan_groups(config, num_layers)
    assert [layer for group in groups for layer in group] == list(range(depth))
    assert all(len(group) <= num_layers for group in groups)
    assert set(taps) <= {group[-1] for group in groups}


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


def test_no_stage_holds_more_than_one_layer_or_one_merger() -> None:
    tower = tower_of(golden_engine("tied"))
    running, deepest = tower.start(noise(5, 128, 128)), len(CONFIG.vision.deepstack_visual_indexes)
    num_taps = []
    while not running.is_done:
        running.step()
        num_taps.append(len(running._taps))
    assert num_taps == sorted(num_taps)
    assert num_taps[-1] == deepest
    assert len(num_taps) == CONFIG.vision.depth + deepest + 2


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
