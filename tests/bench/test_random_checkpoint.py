"""A random checkpoint is a complete Hugging Face folder with exactly the published shapes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from bench.checkpoint_shapes import DtypeName, Layout, count_parameters, make_config, tensor_shapes
from bench.checkpoint_tokenizer import (
    CHAT_TEMPLATE,
    SPECIAL_TOKENS,
    VISIBLE_TOKENS,
    merges_from_ranks,
    read_ranks,
    small_vocabulary,
    tokenizer_json,
)
from bench.random_checkpoint import main, random_tensor, write_checkpoint

TEXT = "今天天气不错，价格￥39.9元。\n\n  Hello world's   café 🙂<|im_end|>"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_checkpoint(folder, shape="tiny")
    return folder


def read_tensors(folder: Path) -> dict[str, Any]:
    tensors: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            tensors |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return tensors


def weights_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_2b_has_the_published_tensors_and_parameters() -> None:
    shapes = tensor_shapes(make_config("2b"))
    assert len(shapes) == 625
    assert count_parameters(shapes) == 2_127_532_032
    assert shapes["model.language_model.embed_tokens.weight"] == (151936, 2048)
    assert shapes["model.language_model.layers.27.self_attn.k_proj.weight"] == (1024, 2048)
    assert shapes["model.visual.patch_embed.proj.weight"] == (1024, 3, 2, 16, 16)
    assert shapes["model.visual.blocks.23.attn.qkv.weight"] == (3072, 1024)
    assert shapes["model.visual.merger.norm.weight"] == (1024,)
    assert shapes["model.visual.deepstack_merger_list.2.norm.weight"] == (4096,)
    assert "lm_head.weight" not in shapes


def test_a_tiny_folder_is_complete(tiny: Path) -> None:
    assert sorted(path.name for path in tiny.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "video_preprocessor_config.json",
    ]


def test_every_tensor_of_the_config_is_in_the_file_with_its_shape(tiny: Path) -> None:
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    tensors = read_tensors(tiny)
    assert {name: tensor.shape for name, tensor in tensors.items()} == tensor_shapes(config)
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"bfloat16"}


def test_linear_weights_spread_by_002_around_zero_and_norm_weights_around_one(tiny: Path) -> None:
    tensors = read_tensors(tiny)
    linear = tensors["model.language_model.layers.0.mlp.up_proj.weight"].astype(np.float32)
    norm = tensors["model.visual.blocks.0.norm1.weight"].astype(np.float32)
    key_norm = tensors["model.language_model.layers.0.self_attn.k_norm.weight"].astype(np.float32)
    assert abs(linear.mean()) < 0.002
    assert linear.std() == pytest.approx(0.02, rel=0.1)
    assert norm.mean() == pytest.approx(1.0, abs=0.02)
    assert key_norm.mean() == pytest.approx(1.0, abs=0.02)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tiny: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "again", shape="tiny")
    write_checkpoint(tmp_path / "other", shape="tiny", seed=1)
    assert weights_digest(tmp_path / "again") == weights_digest(tiny)
    assert weights_digest(tmp_path / "other") != weights_digest(tiny)


def test_shards_hold_the_same_tensors_as_one_file(tiny: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, shape="tiny", num_shards=3)
    assert not (tmp_path / "model.safetensors").exists()
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text(encoding="utf-8"))
    whole, parts = read_tensors(tiny), read_tensors(tmp_path)
    assert parts.keys() == whole.keys() == index["weight_map"].keys()
    assert all(np.array_equal(parts[name].view(np.uint16), whole[name].view(np.uint16)) for name in whole)
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in whole.values())
    for name, file_name in index["weight_map"].items():
        with safe_open(tmp_path / file_name, framework="numpy") as file:
            assert name in file.keys()  # noqa: SIM118
    assert len(set(index["weight_map"].values())) == 3


def test_writing_over_a_sharded_folder_leaves_no_shard_behind(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, shape="tiny", num_shards=2)
    write_checkpoint(tmp_path, shape="tiny")
    assert [path.name for path in tmp_path.glob("model*")] == ["model.safetensors"]


@pytest.mark.parametrize("num_shards", [0, 10_000])
def test_an_impossible_number_of_shards_is_refused_and_leaves_no_config(tmp_path: Path, num_shards: int) -> None:
    with pytest.raises(ValueError, match="shards"):
        write_checkpoint(tmp_path, shape="tiny", num_shards=num_shards)
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(("dtype", "numpy_name"), [("f16", "float16"), ("f32", "float32")])
def test_another_dtype_rounds_the_same_numbers(tiny: Path, tmp_path: Path, dtype: DtypeName, numpy_name: str) -> None:
    config = write_checkpoint(tmp_path, shape="tiny", dtype=dtype)
    assert config["text_config"]["dtype"] == numpy_name
    tensors, bf16 = read_tensors(tmp_path), read_tensors(tiny)
    assert {str(tensor.dtype) for tensor in tensors.values()} == {numpy_name}
    for name, tensor in tensors.items():
        np.testing.assert_allclose(tensor.astype(np.float32), bf16[name].astype(np.float32), rtol=2**-7, atol=1e-7)


def test_a_tensor_made_alone_equals_the_one_in_the_file(tiny: Path) -> None:
    name = "model.visual.blocks.3.attn.qkv.weight"
    stored = read_tensors(tiny)[name]
    assert np.array_equal(random_tensor(name, stored.shape, seed=0, dtype="bf16"), stored)


@pytest.mark.parametrize("layout", ["old", "new"])
def test_both_layouts_state_the_same_rotary_facts(layout: Layout) -> None:
    text = make_config("2b", layout=layout)["text_config"]
    rope = text["rope_parameters"] if layout == "new" else {**text["rope_scaling"], "rope_theta": text["rope_theta"]}
    assert rope["mrope_section"] == [24, 20, 20]
    assert rope["rope_theta"] == 5_000_000
    assert ("rope_scaling" in text) == (layout == "old")


def test_special_tokens_of_the_tiny_model_stand_where_its_config_says(tiny: Path) -> None:
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    assert tokenizer.token_to_id("<|image_pad|>") == config["image_token_id"]
    assert tokenizer.token_to_id("<|video_pad|>") == config["video_token_id"]
    assert tokenizer.token_to_id("<|vision_start|>") == config["vision_start_token_id"]
    assert tokenizer.token_to_id("<|vision_end|>") == config["vision_end_token_id"]
    assert tokenizer.token_to_id("<|im_end|>") == config["text_config"]["eos_token_id"]
    assert tokenizer.token_to_id("<|endoftext|>") == config["text_config"]["bos_token_id"]
    assert tokenizer.get_vocab_size() < config["text_config"]["vocab_size"]


def test_the_tiny_tokenizer_gives_every_text_back(tiny: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    ids = tokenizer.encode(TEXT).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == TEXT
    assert len(ids) < len(TEXT.encode())  # merges are used
    assert 40 <= len(small_vocabulary()[1]) <= 80


def test_special_tokens_vanish_in_decoding_and_tool_and_think_tags_stay(tiny: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode("<think>a</think><|im_end|>").ids) == "<think>a</think>"


def test_placeholders_keep_the_published_ids_with_a_small_vocabulary() -> None:
    tokens, merges = small_vocabulary()
    content = tokenizer_json(tokens, merges, num_ordinary_tokens=151643)
    tokenizer = Tokenizer.from_str(json.dumps(content))
    assert [tokenizer.token_to_id(name) for name in (*SPECIAL_TOKENS, *VISIBLE_TOKENS)] == list(range(151643, 151669))
    assert tokenizer.decode(tokenizer.encode(TEXT).ids, skip_special_tokens=False) == TEXT
    assert max(tokenizer.encode("unused400 价格").ids) < len(tokens)


def test_merges_are_recovered_from_ranks() -> None:
    tokens, merges = small_vocabulary()
    assert merges_from_ranks(tokens) == merges


def test_a_token_that_no_merge_reaches_is_refused() -> None:
    tokens = [bytes([value]) for value in range(256)]
    with pytest.raises(ValueError, match="token 256"):
        merges_from_ranks([*tokens, b"abc"])


def test_ranks_with_a_gap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gap.tiktoken"
    path.write_bytes(b"IQ== 0\nIg== 2\n")
    with pytest.raises(ValueError, match="rank 2"):
        read_ranks(path)


def test_the_template_puts_pictures_where_they_stand_and_adds_no_system_message() -> None:
    content = [{"type": "text", "text": " 看\n"}, {"type": "image"}, {"type": "text", "text": "<b>"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "好"}]
    template = jinja2.Environment(autoescape=False).from_string(CHAT_TEMPLATE)  # text for a model, not for a page
    assert template.render(messages=messages, add_generation_prompt=True) == (
        "<|im_start|>user\n 看\n<|vision_start|><|image_pad|><|vision_end|><b><|im_end|>\n"
        "<|im_start|>assistant\n好<|im_end|>\n<|im_start|>assistant\n"
    )
    system = template.render(messages=[{"role": "system", "content": "简短。"}, *messages[:1]])
    assert system.startswith("<|im_start|>system\n简短。<|im_end|>\n<|im_start|>user\n")
    assert system.endswith("<|im_end|>\n")


def test_the_command_line_writes_the_folder_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "out"), "--shape", "tiny", "--layout", "new", "--seed", "7"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["text_config"]["rope_parameters"]["mrope_section"] == [6, 5, 5]
