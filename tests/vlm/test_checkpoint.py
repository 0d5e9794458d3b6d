"""Every way a model folder can be wrong ends in one error that names what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kandong.errors import CheckpointError
from kandong.vlm.checkpoint import EMBEDDING, HEAD, Checkpoint, expected_tensors, to_f32
from kandong.vlm.config import read_model_config
from tests.inspection import CHECKPOINTS, GOLDEN

Weights = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(GOLDEN / "tied", target, ignore=shutil.ignore_patterns("*.npz"))
    return target


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text("utf-8"))
    change(values)
    path.write_text(json.dumps(values), "utf-8")


def edit_weights(folder: Path, change: Callable[[Weights], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_tensor_of_a_whole_folder_is_expected_and_taken(name: str) -> None:
    checkpoint = Checkpoint(GOLDEN / name)
    for tensor, shape in expected_tensors(checkpoint.config).items():
        assert checkpoint.take(tensor).shape == shape
    checkpoint.require_all_taken()


def test_a_forgotten_tensor_is_named() -> None:
    checkpoint = Checkpoint(GOLDEN / "untied")
    for tensor in expected_tensors(checkpoint.config):
        if tensor != "model.visual.blocks.3.norm1.bias":
            checkpoint.take(tensor)
    with pytest.raises(CheckpointError, match=r"model\.visual\.blocks\.3\.norm1\.bias"):
        checkpoint.require_all_taken()


def test_both_config_layouts_give_the_same_kind_of_numbers() -> None:
    new, old = (read_model_config(GOLDEN / name) for name in CHECKPOINTS)
    assert new.text.rope_theta == 10_000.0
    assert old.text.rope_theta == 5_000_000.0
    assert new.text.mrope_section == old.text.mrope_section == (6, 5, 5)
    assert new.tie_word_embeddings
    assert not old.tie_word_embeddings


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float32])
def test_stored_types_convert_exactly(dtype: Any) -> None:
    values = np.random.default_rng(0).standard_normal((7, 9)).astype(dtype)
    np.testing.assert_array_equal(to_f32(values), values.astype(np.float32))


def test_shards_are_read_like_one_file(folder: Path) -> None:
    whole = load_file(folder / "model.safetensors")
    names = sorted(whole)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({n: whole[n] for n in part}, folder / file)
    index = {"weight_map": {n: file for file, part in parts.items() for n in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    (folder / "model.safetensors").unlink()
    checkpoint = Checkpoint(folder)
    for name in names:
        np.testing.assert_array_equal(checkpoint.take(name), whole[name])
    (folder / "b.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"b\.safetensors is missing"):
        Checkpoint(folder)


def test_index_may_not_name_files_elsewhere(folder: Path) -> None:
    index = {"weight_map": {"x": "../../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(CheckpointError, match="outside of its folder"):
        Checkpoint(folder)


def test_redundant_tied_head_is_accepted_and_another_one_refused(folder: Path) -> None:
    edit_weights(folder, lambda w: w.update({HEAD: w[EMBEDDING].copy()}))
    Checkpoint(folder)
    edit_weights(folder, lambda w: w.update({HEAD: w[EMBEDDING] * 2}))
    with pytest.raises(CheckpointError, match="lm_head"):
        Checkpoint(folder)


@pytest.mark.parametrize("kept_bytes", [0, 4, 100, 5_000, -1])
def test_cut_weight_file_is_named(folder: Path, kept_bytes: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is cut or damaged"):
        Checkpoint(folder)


def test_missing_unknown_and_misshapen_tensors_are_named(folder: Path) -> None:
    original = load_file(folder / "model.safetensors")
    name = "model.language_model.layers.2.mlp.up_proj.weight"
    edit_weights(folder, lambda w: w.pop(name))
    with pytest.raises(CheckpointError, match=r"lack 1 tensors, the first is model\.language_model\.layers\.2\.mlp"):
        Checkpoint(folder)
    save_file(original | {"adapter.weight": original[name]}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"no use for, the first is adapter\.weight"):
        Checkpoint(folder)
    save_file(original | {name: original[name].T.copy()}, folder / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"up_proj\.weight has the shape \[64, 128\], config\.json says \[128, 64\]"
    ):
        Checkpoint(folder)
    save_file(original | {name: original[name].astype(np.int8)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="stored as I8"):
        Checkpoint(folder)


def numbers_of(section: str) -> list[str]:
    config = json.loads((GOLDEN / "tied" / "config.json").read_text("utf-8"))[section]
    unused = {"initializer_range", "attention_dropout", "bos_token_id", "pad_token_id", "eos_token_id"}
    return [
        k
        for k, v in config.items()
        if isinstance(v, int | float | list) and not isinstance(v, bool) and k not in unused
    ]


@pytest.mark.parametrize(
    ("section", "number"), [(s, n) for s in ("text_config", "vision_config") for n in numbers_of(s)]
)
@pytest.mark.parametrize("value", ["missing", "text", 0])
def test_no_number_has_a_default(folder: Path, section: str, number: str, value: object) -> None:
    def change(config: dict[str, Any]) -> None:
        if value == "missing":
            del config[section][number]
        else:
            config[section][number] = value

    edit_json(folder / "config.json", change)
    with pytest.raises(CheckpointError):
        Checkpoint(folder)


@pytest.mark.parametrize(
    "number", ["size", "patch_size", "merge_size", "temporal_patch_size", "image_mean", "image_std"]
)
def test_no_pixel_number_has_a_default(folder: Path, number: str) -> None:
    edit_json(folder / "preprocessor_config.json", lambda c: [c.pop(n, None) for n in (number, "min_pixels")])
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json"):
        Checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(model_type="qwen2_5_vl"), "qwen2_5_vl"),
        (lambda c: c.update(model_type="qwen3_vl_moe"), "qwen3_vl_moe"),
        (lambda c: c.pop("model_type"), "None"),
        (lambda c: c.pop("text_config"), "text_config"),
        (lambda c: c["text_config"].update(hidden_act="gelu"), "hidden_act"),
        (lambda c: c["text_config"].update(attention_bias=True), "attention_bias"),
        (lambda c: c["text_config"]["rope_parameters"].update(rope_type="yarn"), "rope_type"),
        (lambda c: c["text_config"]["rope_parameters"].update(mrope_section=[8, 8, 8]), "mrope_section"),
        (lambda c: c["text_config"]["rope_parameters"].update(mrope_interleaved=False), "mrope_interleaved"),
        (lambda c: c["vision_config"].update(deepstack_visual_indexes=[1, 2, 9]), "tap"),
        (lambda c: c["vision_config"].update(deepstack_visual_indexes=[4, 2, 1]), "ascending"),
        (lambda c: c["vision_config"].update(patch_size=14), "patch_size"),
        (lambda c: c.pop("image_token_id"), "image_token_id"),
        (lambda c: c.pop("tie_word_embeddings") and c["text_config"].pop("tie_word_embeddings", 0), "tie_word"),
    ],
)
def test_a_folder_of_another_model_is_refused(folder: Path, change: Callable[[Any], object], says: str) -> None:
    edit_json(folder / "config.json", change)
    with pytest.raises(CheckpointError, match=says):
        Checkpoint(folder)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(CheckpointError, match=file):
        Checkpoint(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x01"])
def test_damaged_config_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Checkpoint(folder)


def test_end_tokens_come_from_the_generation_config_or_the_text_config(folder: Path) -> None:
    edit_json(folder / "generation_config.json", lambda c: c.update(eos_token_id=[7, 9]))
    assert read_model_config(folder).eos_token_ids == (7, 9)
    (folder / "generation_config.json").unlink()
    edit_json(folder / "config.json", lambda c: c["text_config"].update(eos_token_id=5))
    assert read_model_config(folder).eos_token_ids == (5,)
