"""Reading ``tokenizer.json`` into a tokenizer that has never heard of control tokens.

Owns: which parts of the file the tokenizer gets. Must not know: templates, messages, models.

The vocabulary and its merges are nearly all of the file. They go to the tokenizer as they stand, unparsed by Python,
which saves a third of the time; the small parts before them are parsed and changed. A file in another order is parsed
whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from kandong.errors import CheckpointError
from kandong.vlm.config import read_json

_LARGE_PART = "model"
_LEFT_OUT: dict[str, Any] = {"added_tokens": [], "post_processor": None}


def read_tokenizer(path: Path) -> tuple[Tokenizer, list[dict[str, Any]]]:
    """Give the tokenizer without added tokens, and the added tokens that the file lists.

    Errors: ``CheckpointError`` if the file is missing or cannot be used.
    """
    try:
        head, rest = split_before_model(path.read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_str(json.dumps(head | _LEFT_OUT)[:-1] + ", " + rest)
        # A file may name a part twice, or name one behind the model: then this way is not good enough.
        if not tokenizer.get_added_tokens_decoder() and tokenizer.post_processor is None:
            return tokenizer, head.get("added_tokens") or []
    except Exception:  # noqa: BLE001 (tokenizers raises bare Exception; the plain way tells what is wrong)
        pass
    return parse_whole_tokenizer(path)


def parse_whole_tokenizer(path: Path) -> tuple[Tokenizer, list[dict[str, Any]]]:
    """Do the same by parsing the whole file: the slow twin of ``read_tokenizer``, and its way out."""
    specification = read_json(path)
    try:
        tokenizer = Tokenizer.from_str(json.dumps(specification | _LEFT_OUT))
    except Exception:  # noqa: BLE001 (tokenizers raises bare Exception)
        raise CheckpointError("tokenizer.json cannot be used.", hint="Download that file again.") from None
    return tokenizer, specification.get("added_tokens") or []


def split_before_model(text: str) -> tuple[dict[str, Any], str]:
    """Parse the parts of a JSON object before ``"model"``; give them, and the text from there to the end.

    Raises ValueError if the text is no object with such a part.
    """
    decoder, head = json.JSONDecoder(), dict[str, Any]()
    place = _skip_blanks(text, 0)
    _expect(text, place, "{")
    while True:
        start = place = _skip_blanks(text, place + 1)
        name, place = decoder.raw_decode(text, place)
        if name == _LARGE_PART:
            return head, text[start:]
        place = _skip_blanks(text, place)
        _expect(text, place, ":")
        head[name], place = decoder.raw_decode(text, _skip_blanks(text, place + 1))
        place = _skip_blanks(text, place)
        _expect(text, place, ",")


def _skip_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _expect(text: str, place: int, character: str) -> None:
    if text[place : place + 1] != character:
        raise ValueError(f"no {character} at {place}")
