"""Writes the tiny byte-level tokenizer and the chat template that both golden checkpoints share.

Owns: the vocabulary and the special tokens. Must not know: weights, pictures, cases.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

NUM_BYTES = 256
NUM_MERGES = 52
# The order fixes the ids: the first special token comes right after bytes and merges.
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PLAIN_ADDED_TOKENS = ("<think>",)
FIRST_SPECIAL_ID = NUM_BYTES + NUM_MERGES
TOKEN_IDS = {token: FIRST_SPECIAL_ID + place for place, token in enumerate(SPECIAL_TOKENS + PLAIN_ADDED_TOKENS)}
# Larger than the tokenizer's own count, as in the real model: a few rows of the output head stand for no token.
VOCAB_SIZE = 320

# The split pattern is part of the Qwen2 tokenizer format; another one gives other ids.
_SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CORPUS = (
    "限时特价，全场五折，满三百减五十，仅此三天！",
    "新品上市，买一送一，到店即享优惠价 39.9 元。",
    "这张图里的价格是多少？图里写了什么？活动时间是什么时候？",
    "双十一大促：全场包邮，满 200 减 30，先到先得，售完即止。",
    "加微信领优惠券，前一百名送小样，价格以到店为准。",
    "Limited offer: buy one, get one free, this weekend only!",
    "What is the price in the picture? The total price is 128 yuan.",
    "Follow us for more offers, free shipping over 99 yuan.",
)
_CHAT_TEMPLATE = """\
{%- macro spell_out(content) -%}
  {%- if content is string -%}
    {{- content -}}
  {%- elif content is not none -%}
    {%- for part in content -%}
      {%- if part.type == 'image' or part.image is defined or part.image_url is defined -%}
        {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
      {%- elif part.type == 'video' or part.video is defined -%}
        {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
      {%- elif part.text is defined -%}
        {{- part.text -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- for turn in messages -%}
  {{- '<|im_start|>' ~ turn.role ~ '\\n' ~ spell_out(turn.content) ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def _build_tokenizer() -> Tokenizer:
    """Learn the merges and add the special tokens; raises ValueError if the ids are not the expected ones."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=FIRST_SPECIAL_ID, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in PLAIN_ADDED_TOKENS])
    wrong = {token for token, token_id in TOKEN_IDS.items() if tokenizer.token_to_id(token) != token_id}
    if wrong:
        raise ValueError(f"unexpected token ids for {sorted(wrong)}: the corpus gave too few merges")
    return tokenizer


def write_tokenizer(folder: Path) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``chat_template.jinja`` into ``folder``."""
    (folder / "tokenizer.json").write_text(_build_tokenizer().to_str(pretty=True) + "\n", encoding="utf-8")
    added = {
        str(token_id): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": token in SPECIAL_TOKENS,
        }
        for token, token_id in TOKEN_IDS.items()
    }
    settings = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": list(SPECIAL_TOKENS[1:]),
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(_CHAT_TEMPLATE, encoding="utf-8")
