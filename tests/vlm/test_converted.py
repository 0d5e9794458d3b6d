"""Converted models compute exactly what the checkpoint does, and no changed byte is ever used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kandong.errors import CheckpointError, InputError
from kandong.vlm.checkpoint import Checkpoint
from kandong.vlm.convert import conversion_key, convert
from kandong.vlm.converted import MANIFEST, WEIGHTS, is_converted, read_manifest, verify_weights
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.weights import WeightType
from tests.inspection import CHECKPOINTS, GOLDEN, golden_arrays, golden_engine, golden_request, inspect


def make(tmp_path: Path, checkpoint: str = "tied", weight_type: WeightType = WeightType.INT8) -> Path:
    target = tmp_path / "converted"
    convert(Checkpoint(GOLDEN / checkpoint), target, "tests/tiny", weight_type)
    return target


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize("weight_type", list(WeightType))
def test_converted_model_gives_the_very_logits_of_its_checkpoint(
    tmp_path: Path, checkpoint: str, weight_type: WeightType
) -> None:
    converted = Engine(make(tmp_path, checkpoint, weight_type), EngineOptions())
    assert converted.numerics.weights is weight_type
    direct = golden_engine(checkpoint, str(weight_type))
    rows = golden_arrays(checkpoint, "two_pictures")["logits_rows"].tolist()
    request = golden_request("two_pictures")
    np.testing.assert_array_equal(inspect(converted, request, rows).logits, inspect(direct, request, rows).logits)


def test_conversion_reports_progress_up_to_the_whole(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    convert(Checkpoint(GOLDEN / "tied"), tmp_path / "c", "x", WeightType.INT8, lambda d, t: heard.append((d, t)))
    assert [d for d, _ in heard] == sorted(d for d, _ in heard)
    assert heard[-1][0] == heard[-1][1]


def test_converted_folder_needs_no_original(tmp_path: Path) -> None:
    original = tmp_path / "original"
    shutil.copytree(GOLDEN / "untied", original, ignore=shutil.ignore_patterns("*.npz"))
    target = tmp_path / "converted"
    convert(Checkpoint(original), target, "x", WeightType.INT8)
    shutil.rmtree(original)
    *_, answer = Engine(target, EngineOptions()).generate(golden_request("square"))
    assert answer.text  # type: ignore[union-attr]


def test_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(Checkpoint(GOLDEN / "tied"), tmp_path / "converted", "x", WeightType.INT8, stop)
    assert list(tmp_path.iterdir()) == []


def flipped_bytes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Places to damage: every small file, and the weights at their ends and here and there."""
    random = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        places = {0, size - 1, *(int(p) for p in random.integers(0, size, 4))}
        yield from ((path, place) for place in places)


def test_no_flipped_byte_goes_unnoticed(tmp_path: Path) -> None:
    folder = make(tmp_path)
    verify_weights(folder, read_manifest(folder))
    for path, place in flipped_bytes(folder):
        data = bytearray(path.read_bytes())
        data[place] ^= 0x10
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="damaged"):
            verify_weights(folder, read_manifest(folder))
        data[place] ^= 0x10
        path.write_bytes(data)
    verify_weights(folder, read_manifest(folder))


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete_file", "delete_manifest_sum"])
def test_engine_refuses_a_damaged_folder(tmp_path: Path, damage: str) -> None:
    folder = make(tmp_path)
    weights = folder / WEIGHTS
    if damage == "flip":
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    elif damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "delete_file":
        (folder / "tokenizer.json").unlink()
    else:
        (folder / f"{MANIFEST}.sha256").unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        Engine(folder, EngineOptions())


def test_key_changes_with_checkpoint_and_weight_type(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(GOLDEN / "tied", copy, ignore=shutil.ignore_patterns("*.npz"))
    key = conversion_key(Checkpoint(copy), WeightType.INT8)
    assert key == conversion_key(Checkpoint(copy), WeightType.INT8)
    assert key != conversion_key(Checkpoint(copy), WeightType.INT4)
    (copy / "generation_config.json").write_text('{"eos_token_id": 1}', "utf-8")
    assert key != conversion_key(Checkpoint(copy), WeightType.INT8)


def test_precision_that_is_not_stored_is_an_input_error(tmp_path: Path) -> None:
    folder = make(tmp_path, weight_type=WeightType.INT4)
    assert is_converted(folder)
    with pytest.raises(InputError, match="holds int4 weights"):
        Engine(folder, EngineOptions(precision=Precision.INT8))
