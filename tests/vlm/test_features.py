"""The feature cache: what is found is what was kept, nothing damaged or of another pipeline is ever found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kandong.vlm.features import SUFFIX, FeatureCache
from kandong.vlm.plan import FeatureKey
from kandong.vlm.vision import VisionFeatures

KEY = FeatureKey("ab" * 32, 4, 6)
MEBIBYTE = 2**20


def some(seed: int = 0, num_tokens: int = 6) -> VisionFeatures:
    random = np.random.default_rng(seed)
    merged = random.standard_normal((num_tokens, 8)).astype(np.float32)
    return VisionFeatures(merged, random.standard_normal((3, num_tokens, 8)).astype(np.float32))


class FlushedCache(FeatureCache):
    """A cache whose files are there when ``put`` returns."""

    def put(self, key: FeatureKey, features: VisionFeatures) -> VisionFeatures:
        kept = super().put(key, features)
        self.flush()
        return kept


def cache(folder: Path | None = None, **options: object) -> FeatureCache:
    settings: dict[str, object] = {"memory_bytes": MEBIBYTE, "disk_bytes": MEBIBYTE, "folder": folder} | options
    return FlushedCache(str(settings.pop("pipeline", "model a")), **settings)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"??/*{SUFFIX}"))


@pytest.mark.parametrize("exact", [True, False])
def test_what_a_restart_finds_is_what_the_first_answer_used(tmp_path: Path, exact: bool) -> None:
    features = some()
    kept = cache(tmp_path, exact=exact).put(KEY, features)
    assert kept.merged.dtype == (np.float32 if exact else np.float16)
    np.testing.assert_allclose(kept.merged, features.merged, rtol=0 if exact else 1e-3)
    later = cache(tmp_path, exact=exact)
    assert KEY in later
    found = later.get(KEY)
    assert found is not None
    assert found[1] == "disk"
    np.testing.assert_array_equal(found[0].merged, kept.merged)
    np.testing.assert_array_equal(found[0].deepstack, kept.deepstack)
    again = later.get(KEY)
    assert again is not None
    assert again[1] == "memory"


def test_values_are_copies_that_nobody_can_change() -> None:
    features = some()
    memory = cache()
    kept = memory.put(KEY, features)
    before = kept.merged.copy()
    features.merged[:] = 7
    np.testing.assert_array_equal(kept.merged, before)
    with pytest.raises(ValueError, match="read-only"):
        kept.merged[0, 0] = 1


def test_other_pixels_grids_and_pipelines_are_other_features(tmp_path: Path) -> None:
    cache(tmp_path).put(KEY, some())
    turned = FeatureKey(KEY.digest, KEY.grid_width, KEY.grid_height)
    for key in (FeatureKey("cd" * 32, 4, 6), turned):
        assert cache(tmp_path).get(key) is None
    assert cache(tmp_path, pipeline="model b").get(KEY) is None


@pytest.mark.parametrize("place", ["sum", "header", "values", "end"])
def test_a_damaged_file_is_removed_and_not_used(tmp_path: Path, place: str) -> None:
    cache(tmp_path).put(KEY, some())
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    where = {"sum": 3, "header": 45, "values": len(content) // 2, "end": len(content) - 1}[place]
    content[where] ^= 1
    path.write_bytes(content)
    later = cache(tmp_path)
    assert later.get(KEY) is None
    assert later.counts["damaged"] == 1
    assert not files(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 40, 200])
def test_a_file_that_was_cut_is_not_used(tmp_path: Path, length: int) -> None:
    cache(tmp_path).put(KEY, some())
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    assert cache(tmp_path).get(KEY) is None


def test_a_file_under_another_picture_s_name_is_not_used(tmp_path: Path) -> None:
    other = FeatureKey("cd" * 32, 4, 6)
    cache(tmp_path).put(KEY, some(1))
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.unlink()
    cache(tmp_path).put(other, some(2))
    (path,) = files(tmp_path)
    path.write_bytes(content)
    assert cache(tmp_path).get(other) is None


def test_memory_and_disk_keep_to_their_budgets(tmp_path: Path) -> None:
    one = some().merged.nbytes * 4 // 2
    small = cache(tmp_path, memory_bytes=2 * one, disk_bytes=3 * one + 1500)
    keys = [FeatureKey(f"{i:064x}", 4, 6) for i in range(6)]
    for age, key in enumerate(keys):
        small.put(key, some(age))
        for path in files(tmp_path):
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
    assert 0 < small.memory_bytes <= 2 * one
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * one + 1500
    # The last ones are there, the first ones went.
    later = cache(tmp_path)
    assert [key in later for key in keys] == [False] * (6 - len(files(tmp_path))) + [True] * len(files(tmp_path))
    assert 1 <= len(files(tmp_path)) < 6


def test_what_is_being_written_is_found_and_what_was_left_half_is_cleared(tmp_path: Path) -> None:
    store = FeatureCache("model a", memory_bytes=0, folder=tmp_path, disk_bytes=MEBIBYTE)
    half = tmp_path / "ab" / ".dead.part"
    half.parent.mkdir()
    half.write_bytes(b"half")
    os.utime(half, (1, 1))
    for i in range(20):
        key = FeatureKey(f"{i:064x}", 4, 6)
        kept = store.put(key, some(i))
        assert key in store
        found = store.get(key)
        assert found is not None
        assert found[1] == "disk"
        np.testing.assert_array_equal(found[0].merged, kept.merged)
    store.flush()
    assert not half.exists()
    assert len(files(tmp_path)) == 20


def test_numbers_that_float16_cannot_hold_are_kept_whole() -> None:
    features = some()
    features.merged[0, 0] = 1e6
    kept = cache().put(KEY, features)
    assert kept.merged.dtype == np.float32
    assert kept.merged[0, 0] == 1e6
    assert kept.deepstack.dtype == np.float16


def test_a_folder_that_cannot_be_written_costs_only_the_shortcut(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = cache(blocked)
    store.put(KEY, some())
    assert store.counts["write_failures"] == 1
    found = store.get(KEY)
    assert found is not None
    assert found[1] == "memory"
