"""Weights of a dense Qwen3-VL checkpoint in safetensors, one file or shards.

Owns: which tensors must exist with which shape, opening the files, and the proof that every tensor is used: one too
many or too few is an error that names it. Must not know: quantisation, graphs, prompts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import ml_dtypes  # registers bfloat16 with numpy, which safetensors needs
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from kandong.errors import CheckpointError
from kandong.vlm.config import ModelConfig, TextConfig, VisionConfig, read_json, read_model_config

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
HEAD = "lm_head.weight"
EMBEDDING = "model.language_model.embed_tokens.weight"
STORED_TYPES = ("BF16", "F16", "F32")

Shape = tuple[int, ...]
Weight = NDArray[Any]  # bfloat16 (ml_dtypes), float16 or float32


def expected_tensors(config: ModelConfig) -> dict[str, Shape]:
    """List every tensor of a model with its shape, as the reference's ``state_dict`` names them."""
    shapes = _text_tensors(config.text) | _vision_tensors(config.vision)
    if not config.tie_word_embeddings:
        shapes[HEAD] = (config.text.vocab_size, config.text.hidden_size)
    return shapes


def _text_tensors(c: TextConfig) -> dict[str, Shape]:
    root = "model.language_model"
    q_width, kv_width = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
    shapes: dict[str, Shape] = {EMBEDDING: (c.vocab_size, c.hidden_size), f"{root}.norm.weight": (c.hidden_size,)}
    for i in range(c.num_hidden_layers):
        layer = f"{root}.layers.{i}"
        shapes |= {
            f"{layer}.input_layernorm.weight": (c.hidden_size,),
            f"{layer}.post_attention_layernorm.weight": (c.hidden_size,),
            f"{layer}.self_attn.q_proj.weight": (q_width, c.hidden_size),
            f"{layer}.self_attn.k_proj.weight": (kv_width, c.hidden_size),
            f"{layer}.self_attn.v_proj.weight": (kv_width, c.hidden_size),
            f"{layer}.self_attn.o_proj.weight": (c.hidden_size, q_width),
            f"{layer}.self_attn.q_norm.weight": (c.head_dim,),
            f"{layer}.self_attn.k_norm.weight": (c.head_dim,),
            f"{layer}.mlp.gate_proj.weight": (c.intermediate_size, c.hidden_size),
            f"{layer}.mlp.up_proj.weight": (c.intermediate_size, c.hidden_size),
            f"{layer}.mlp.down_proj.weight": (c.hidden_size, c.intermediate_size),
        }
    return shapes


def _vision_tensors(c: VisionConfig) -> dict[str, Shape]:
    root = "model.visual"
    patch = (c.hidden_size, c.in_channels, c.temporal_patch_size, c.patch_size, c.patch_size)
    shapes: dict[str, Shape] = {
        f"{root}.patch_embed.proj.weight": patch,
        f"{root}.patch_embed.proj.bias": (c.hidden_size,),
        f"{root}.pos_embed.weight": (c.num_position_embeddings, c.hidden_size),
    }
    for i in range(c.depth):
        block = f"{root}.blocks.{i}"
        for name in ("norm1", "norm2"):
            shapes |= {f"{block}.{name}.weight": (c.hidden_size,), f"{block}.{name}.bias": (c.hidden_size,)}
        shapes |= _linear(f"{block}.attn.qkv", 3 * c.hidden_size, c.hidden_size)
        shapes |= _linear(f"{block}.attn.proj", c.hidden_size, c.hidden_size)
        shapes |= _linear(f"{block}.mlp.linear_fc1", c.intermediate_size, c.hidden_size)
        shapes |= _linear(f"{block}.mlp.linear_fc2", c.hidden_size, c.intermediate_size)
    wide = c.hidden_size * c.merge_unit
    mergers = {f"{root}.merger": c.hidden_size}
    mergers |= {f"{root}.deepstack_merger_list.{i}": wide for i in range(len(c.deepstack_visual_indexes))}
    for merger, norm_width in mergers.items():
        shapes |= {f"{merger}.norm.weight": (norm_width,), f"{merger}.norm.bias": (norm_width,)}
        shapes |= _linear(f"{merger}.linear_fc1", wide, wide)
        shapes |= _linear(f"{merger}.linear_fc2", c.out_hidden_size, wide)
    return shapes


def _linear(name: str, rows: int, columns: int) -> dict[str, Shape]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


class Checkpoint:
    """An opened checkpoint folder whose tensors are complete and of the right shapes.

    ``take`` hands a tensor out; ``require_all_taken`` proves that none was forgotten.
    """

    def __init__(self, folder: Path) -> None:
        """Open and check a folder. Errors: ``CheckpointError`` naming the file, number or tensor that is wrong."""
        self.folder = folder
        self.config = read_model_config(folder)
        self._files: dict[str, Any] = {}
        self._file_of: dict[str, str] = {}
        for file_name in _weight_files(folder):
            opened = _open_safetensors(folder / file_name)
            self._files[file_name] = opened
            for name in opened.keys():  # noqa: SIM118 (safe_open is no mapping)
                self._file_of[name] = file_name
        self._expected = expected_tensors(self.config)
        self._check_names()
        self._taken: set[str] = set()
        self._check_redundant_head()

    def take(self, name: str) -> Weight:
        """Return a tensor in its stored type (bfloat16, float16 or float32), and mark it as used."""
        self._taken.add(name)
        return self._read(name)

    def require_all_taken(self) -> None:
        """Check that every expected tensor was handed out; errors: ``CheckpointError`` naming the first unused."""
        unused = sorted(self._expected.keys() - self._taken)
        if unused:
            raise CheckpointError(f"{len(unused)} tensors were never used, the first is {unused[0]}.")

    def identity(self) -> dict[str, Any]:
        """Describe the folder so that a changed one is noticed: size and time of weight files, sums of small ones."""
        files = sorted(self.folder.glob("*.safetensors")) + sorted(self.folder.glob("*.json*"))
        files += sorted(self.folder.glob("*.jinja"))
        described: dict[str, Any] = {}
        for path in files:
            if path.suffix == ".safetensors":
                status = path.stat()
                described[path.name] = [status.st_size, status.st_mtime_ns]
            else:
                described[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return described

    def _read(self, name: str) -> Weight:
        tensor: Weight = self._files[self._file_of[name]].get_tensor(name)
        return tensor

    def _check_names(self) -> None:
        present = self._file_of.keys()
        missing = sorted(self._expected.keys() - present)
        if missing:
            raise CheckpointError(
                f"The weights lack {len(missing)} tensors, the first is {missing[0]}.",
                hint="Download the folder again: a file is missing or of another model.",
                field=missing[0],
            )
        optional = {HEAD} if self.config.tie_word_embeddings else set()
        unknown = sorted(present - self._expected.keys() - optional)
        if unknown:
            raise CheckpointError(
                f"The weights hold {len(unknown)} tensors that Qwen3-VL has no use for, the first is {unknown[0]}.",
                hint="Use an unmodified dense Qwen3-VL checkpoint; adapters must be merged first.",
                field=unknown[0],
            )
        for name, shape in self._expected.items():
            stored = self._files[self._file_of[name]].get_slice(name)
            if tuple(stored.get_shape()) != shape:
                raise CheckpointError(
                    f"{name} has the shape {list(stored.get_shape())}, config.json says {list(shape)}.", field=name
                )
            if stored.get_dtype() not in STORED_TYPES:
                raise CheckpointError(
                    f"{name} is stored as {stored.get_dtype()}, usable are {', '.join(STORED_TYPES)}.",
                    hint="Use the original weights, not a quantised copy: Kandong quantises by itself.",
                    field=name,
                )

    def _check_redundant_head(self) -> None:
        """A tied head may be stored a second time; one that differs from the embedding would be ignored silently."""
        if not (self.config.tie_word_embeddings and HEAD in self._file_of):
            return
        if not np.array_equal(self._read(HEAD), self._read(EMBEDDING)):
            raise CheckpointError(
                "config.json ties the output head to the embedding, but the stored lm_head.weight is another.",
                hint="Set tie_word_embeddings to false if the checkpoint was trained so.",
                field=HEAD,
            )


def _weight_files(folder: Path) -> list[str]:
    """Name the weight files, those of the index if there is one."""
    index_path = folder / INDEX_FILE
    if index_path.is_file():
        weight_map = read_json(index_path).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{INDEX_FILE} has no 'weight_map'.", hint="Download that file again.")
        names = sorted({str(name) for name in weight_map.values()})
        # An index could name a file outside of the folder.
        if any(Path(name).name != name for name in names):
            raise CheckpointError(f"{INDEX_FILE} names a file outside of its folder.")
        return names
    if not (folder / SINGLE_FILE).is_file():
        raise CheckpointError(
            f"The model folder has neither {SINGLE_FILE} nor {INDEX_FILE}.",
            hint="Download the weights too: the folder holds only the small files.",
        )
    return [SINGLE_FILE]


def _open_safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="np")
    except FileNotFoundError:
        raise CheckpointError(f"The weight file {path.name} is missing.", hint="Download it again.") from None
    except (SafetensorError, OSError, ValueError):
        raise CheckpointError(
            f"The weight file {path.name} is cut or damaged ({path.stat().st_size:,} bytes).",
            hint="Download that file again; a Git LFS pointer or a half download looks like this.",
        ) from None


def to_f32(weight: Weight) -> NDArray[np.float32]:
    """Convert a stored tensor to float32 exactly."""
    if weight.dtype == ml_dtypes.bfloat16:
        # The upper half of a float32 is the bfloat16: a shift is several times faster than a cast.
        return (weight.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return weight.astype(np.float32, copy=False)
