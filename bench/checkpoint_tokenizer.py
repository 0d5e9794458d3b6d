"""Tokenizer files for random checkpoints: Qwen's own vocabulary where it can be had, small byte-level ones elsewhere.

Owns: ``tokenizer.json``, ``tokenizer_config.json``, the chat template, and turning tiktoken ranks into BPE merges.
Must not know: the shapes of the model.
"""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NUM_QWEN_TOKENS = 151643

# In the order of their ids, after the ordinary tokens. Those from <tool_call> on are plain text to a decoder that
# skips special tokens.
SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
VISIBLE_TOKENS = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
)

# Qwen2's rule for cutting text before merging: contractions, words, single digits, punctuation, line ends, blanks.
SPLIT_PATTERN = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

# Every message is one turn; a picture stands where its part stands among the parts.
CHAT_TEMPLATE = """\
{%- macro written(content) -%}
  {%- if content is string -%}
    {{- content -}}
  {%- else -%}
    {%- for part in content -%}
      {%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
        {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
      {%- elif part.type == 'video' or 'video' in part -%}
        {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
      {%- elif 'text' in part -%}
        {{- part.text -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- for message in messages -%}
  {{- '<|im_start|>' ~ message.role ~ '\\n' ~ written(message.content) ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""

# What the small tokenizer can say in one token besides single bytes.
_SMALL_WORDS = (
    *(" t", " a", "he", "in", "re", "on", " the", "er", " s", "at", " w", " o", "en", " c", "it", "is", "an", "or"),
    *("es", " b", "ed", " f", "ing", " p", "ou", " an", "al", "ar", " to", " m", " of", " in", "image", "price"),
    *("的", "图", "中", "价", "元", "文", "字", "一"),
)

Merge = tuple[bytes, bytes]


def find_qwen_ranks() -> Path | None:
    """Find ``qwen.tiktoken`` inside an installed ``dashscope`` package without importing it; None if not installed."""
    spec = importlib.util.find_spec("dashscope")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "resources", "qwen.tiktoken")
        if path.is_file():
            return path
    return None


def read_ranks(path: Path) -> list[bytes]:
    """Read a tiktoken file (base64 token, blank, rank) into tokens in rank order.

    Raises ValueError if the ranks are not 0, 1, 2, … without a gap.
    """
    tokens: list[bytes] = []
    for line in path.read_bytes().splitlines():
        encoded, _, rank = line.partition(b" ")
        if int(rank) != len(tokens):
            raise ValueError(f"{path.name}: rank {int(rank)} where {len(tokens)} was expected")
        tokens.append(base64.b64decode(encoded))
    return tokens


def merges_from_ranks(tokens: Sequence[bytes]) -> list[Merge]:
    """Find, for every token of several bytes, the pair that it is merged from, in rank order.

    A pair is what is left of the token's bytes after applying all lower-ranked merges.
    Raises ValueError if a token cannot be reached by merging two lower-ranked ones.
    """
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merges: list[Merge] = []
    for rank, token in enumerate(tokens):
        if len(token) == 1:
            continue
        parts = _split_below(token, rank, ranks)
        if len(parts) != 2:
            raise ValueError(f"token {rank} is not a merge of two lower-ranked tokens")
        merges.append((parts[0], parts[1]))
    return merges


def _split_below(token: bytes, limit: int, ranks: Mapping[bytes, int]) -> list[bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best_rank, best = min((ranks.get(parts[i] + parts[i + 1], limit), i) for i in range(len(parts) - 1))
        if best_rank >= limit:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def small_vocabulary() -> tuple[list[bytes], list[Merge]]:
    """Give 256 single bytes and some fifty merges: a whole byte-level tokenizer small enough for tests."""
    tokens = [bytes([value]) for value in _printable_first_order()]
    merges: list[Merge] = []
    known = {token: rank for rank, token in enumerate(tokens)}
    for word in _SMALL_WORDS:
        token = word.encode()
        while len(parts := _split_below(token, len(known), known) if token not in known else [token]) > 1:
            merge = (parts[0], parts[1])
            merges.append(merge)
            known[merge[0] + merge[1]] = len(known)
    return list(known), merges


def byte_level_alphabet() -> dict[int, str]:
    """Map each byte to the visible character that byte-level BPE files write for it.

    Printable Latin-1 stands for itself; the rest takes the characters from U+0100 on, in order of the byte.
    """
    order = _printable_first_order()
    num_printable = 188
    alphabet = {value: chr(value) for value in order[:num_printable]}
    alphabet |= {value: chr(0x100 + index) for index, value in enumerate(order[num_printable:])}
    return alphabet


def _printable_first_order() -> list[int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shown = set(printable)
    return printable + [value for value in range(256) if value not in shown]


def tokenizer_json(tokens: Sequence[bytes], merges: Sequence[Merge], *, num_ordinary_tokens: int) -> dict[str, Any]:
    """Build ``tokenizer.json`` in the form of Qwen2's: NFC, split, bytes, merges, special tokens.

    Places between ``tokens`` and ``num_ordinary_tokens`` are filled with names that no text can reach, so that the
    special tokens keep their published ids even with a small vocabulary.
    """
    alphabet = byte_level_alphabet()

    def visible(token: bytes) -> str:
        return "".join(alphabet[value] for value in token)

    vocab = {visible(token): rank for rank, token in enumerate(tokens)}
    vocab |= {f"unused{rank}": rank for rank in range(len(tokens), num_ordinary_tokens)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": SPLIT_PATTERN}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": rank, **flags} for rank, flags in _added_tokens(num_ordinary_tokens).items()],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [[visible(left), visible(right)] for left, right in merges],
        },
    }


def tokenizer_config(*, num_ordinary_tokens: int, max_tokens: int) -> dict[str, Any]:
    """Build ``tokenizer_config.json`` for the tokenizer of the same ``num_ordinary_tokens``."""
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(rank): flags for rank, flags in _added_tokens(num_ordinary_tokens).items()},
        "additional_special_tokens": list(SPECIAL_TOKENS[1:]),
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": max_tokens,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "unk_token": None,
    }


def _added_tokens(first: int) -> dict[int, dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        first + index: {"content": content, **plain, "special": content in SPECIAL_TOKENS}
        for index, content in enumerate((*SPECIAL_TOKENS, *VISIBLE_TOKENS))
    }
