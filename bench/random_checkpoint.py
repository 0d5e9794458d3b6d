"""Writes a complete Qwen3-VL checkpoint with random weights: the exact shapes, none of the knowledge.

Speed does not depend on the values of the weights, so such a folder stands in for a real download wherever time,
memory or structure is measured. ``python -m bench.random_checkpoint DIR [--shape 2b|tiny] …``

Owns: the weights, the safetensors files and the folder. Must not know: any engine that will read it. The layout of
a safetensors file is written here and not by the library, because the library wants all tensors in memory at once.

The 2B needs the ``dashscope`` package for Qwen's vocabulary (only the file is read); without it the tokenizer is
byte-level with the same special-token ids.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from bench.checkpoint_shapes import (
    DTYPE_CONFIG_NAMES,
    Config,
    DtypeName,
    Layout,
    ShapeName,
    make_config,
    make_generation_config,
    make_preprocessor_config,
    make_video_preprocessor_config,
    tensor_shapes,
)
from bench.checkpoint_tokenizer import (
    CHAT_TEMPLATE,
    NUM_QWEN_TOKENS,
    find_qwen_ranks,
    merges_from_ranks,
    read_ranks,
    small_vocabulary,
    tokenizer_config,
    tokenizer_json,
)

WEIGHT_STD = 0.02
# Numbers drawn and written at a time: 16 Mi of f32 is 64 MiB of memory, whatever the size of the tensor.
_CHUNK_NUMBERS = 1 << 24

_SAFETENSORS_DTYPES: dict[DtypeName, str] = {"bf16": "BF16", "f16": "F16", "f32": "F32"}
_NUMPY_DTYPES: dict[DtypeName, np.dtype[Any]] = {
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
}


def write_checkpoint(
    folder: Path,
    *,
    shape: ShapeName = "2b",
    seed: int = 0,
    dtype: DtypeName = "bf16",
    num_shards: int = 1,
    layout: Layout = "old",
    ranks_file: Path | None = None,
) -> Config:
    """Write the whole folder and return its ``config.json``.

    The weights depend on ``seed`` and the tensor's name alone, never on shards or layout; another ``dtype`` rounds
    the same numbers. ``ranks_file`` is a tiktoken file of Qwen's vocabulary for the 2B; None looks for the one in
    ``dashscope``. ``config.json`` is written last, so a folder that has it is complete.
    Raises ValueError for fewer than one shard or more shards than tensors, OSError if the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    num_ordinary_tokens = _write_tokenizer(folder, shape, ranks_file)
    config = make_config(shape, layout=layout, dtype=dtype, num_ordinary_tokens=num_ordinary_tokens)
    text = config["text_config"]
    _write_json(
        folder / "tokenizer_config.json",
        tokenizer_config(num_ordinary_tokens=num_ordinary_tokens, max_tokens=text["max_position_embeddings"]),
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8", newline="\n")
    _write_json(folder / "generation_config.json", make_generation_config(config))
    _write_json(folder / "preprocessor_config.json", make_preprocessor_config(shape))
    _write_json(folder / "video_preprocessor_config.json", make_video_preprocessor_config(shape))
    write_weights(folder, tensor_shapes(config), seed=seed, dtype=dtype, num_shards=num_shards)
    _write_json(folder / "config.json", config)
    return config


def write_weights(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], *, seed: int, dtype: DtypeName, num_shards: int
) -> None:
    """Write ``model.safetensors``, or several shards with ``model.safetensors.index.json``, in a bounded memory."""
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    item_bytes = _NUMPY_DTYPES[dtype].itemsize
    if num_shards == 1:
        _write_safetensors(folder / "model.safetensors", shapes, seed=seed, dtype=dtype)
        return
    weight_map: dict[str, str] = {}
    for index, names in enumerate(_split_evenly(shapes, num_shards), start=1):
        file_name = f"model-{index:05d}-of-{num_shards:05d}.safetensors"
        _write_safetensors(folder / file_name, {name: shapes[name] for name in names}, seed=seed, dtype=dtype)
        weight_map |= dict.fromkeys(names, file_name)
    total_bytes = sum(prod(shape) for shape in shapes.values()) * item_bytes
    index_json = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    _write_json(folder / "model.safetensors.index.json", index_json)


def random_tensor(name: str, shape: Sequence[int], *, seed: int, dtype: DtypeName) -> NDArray[Any]:
    """Give the whole tensor ``name`` as it stands in the file, for tests and small models."""
    chunks = [chunk.astype(_NUMPY_DTYPES[dtype]) for chunk in _random_chunks(name, prod(shape), seed)]
    return np.concatenate(chunks).reshape(shape)


def _random_chunks(name: str, count: int, seed: int) -> Iterator[NDArray[np.float32]]:
    # Norm weights and biases vary too: with plain ones and zeros a forgotten or swapped one would go unseen.
    centre = 1.0 if _is_norm_weight(name) else 0.0
    generator = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    for start in range(0, count, _CHUNK_NUMBERS):
        numbers = generator.standard_normal(min(_CHUNK_NUMBERS, count - start), dtype=np.float32)
        numbers *= np.float32(WEIGHT_STD)
        numbers += np.float32(centre)
        yield numbers


def _is_norm_weight(name: str) -> bool:
    module, _, kind = name.rpartition(".")
    return kind == "weight" and "norm" in module.rpartition(".")[2]


def _split_evenly(shapes: Mapping[str, tuple[int, ...]], num_shards: int) -> list[list[str]]:
    if not 1 <= num_shards <= len(shapes):
        raise ValueError(f"{num_shards} shards for {len(shapes)} tensors")
    total = sum(prod(shape) for shape in shapes.values())
    shards: list[list[str]] = [[]]
    written = 0
    for index, (name, shape) in enumerate(shapes.items()):
        num_left, num_missing = len(shapes) - index, num_shards - len(shards)
        is_full = written * num_shards >= total * len(shards)
        if shards[-1] and num_missing and (is_full or num_left <= num_missing):
            shards.append([])
        shards[-1].append(name)
        written += prod(shape)
    return shards


def _write_safetensors(path: Path, shapes: Mapping[str, tuple[int, ...]], *, seed: int, dtype: DtypeName) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + prod(shape) * _NUMPY_DTYPES[dtype].itemsize
        header[name] = {"dtype": _SAFETENSORS_DTYPES[dtype], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # readers map the data; it must start at a multiple of 8
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for name, shape in shapes.items():
            _write_tensor(file, name, prod(shape), seed=seed, dtype=dtype)
    partial.replace(path)


def _write_tensor(file: BinaryIO, name: str, count: int, *, seed: int, dtype: DtypeName) -> None:
    for chunk in _random_chunks(name, count, seed):
        file.write(chunk.astype(_NUMPY_DTYPES[dtype], copy=False).data.cast("B") if dtype != "bf16" else _bf16(chunk))


def _bf16(chunk: NDArray[np.float32]) -> memoryview:
    # ml_dtypes arrays export no buffer of their own type.
    return chunk.astype(_NUMPY_DTYPES["bf16"]).view(np.uint16).data.cast("B")


def _write_tokenizer(folder: Path, shape: ShapeName, ranks_file: Path | None) -> int:
    tokens, merges = small_vocabulary()
    num_ordinary_tokens = len(tokens)
    if shape == "2b":
        num_ordinary_tokens = NUM_QWEN_TOKENS
        ranks_file = ranks_file or find_qwen_ranks()
        if ranks_file is None:
            print(
                "notice: dashscope is not installed, so the tokenizer is byte-level: the same special-token ids, but "
                "about four times as many tokens for the same text as Qwen's own",
                file=sys.stderr,
            )
        else:
            tokens = read_ranks(ranks_file)
            if len(tokens) != NUM_QWEN_TOKENS:
                raise ValueError(f"{ranks_file.name} holds {len(tokens)} tokens, not {NUM_QWEN_TOKENS}")
            merges = merges_from_ranks(tokens)
    content = tokenizer_json(tokens, merges, num_ordinary_tokens=num_ordinary_tokens)
    _write_json(folder / "tokenizer.json", content)
    return num_ordinary_tokens


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.random_checkpoint", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--shape", choices=["2b", "tiny"], default="2b")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=sorted(DTYPE_CONFIG_NAMES), default="bf16")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--layout", choices=["old", "new"], default="old")
    parser.add_argument("--ranks", type=Path, default=None, help="qwen.tiktoken, if not from dashscope")
    options = parser.parse_args(arguments)
    write_checkpoint(
        options.folder,
        shape=cast(ShapeName, options.shape),
        seed=options.seed,
        dtype=cast(DtypeName, options.dtype),
        num_shards=options.shards,
        layout=cast(Layout, options.layout),
        ranks_file=options.ranks,
    )
    print(options.folder)


if __name__ == "__main__":
    main()
