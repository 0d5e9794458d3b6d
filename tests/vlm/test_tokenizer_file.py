"""The quick way of reading tokenizer.json against the plain one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kandong.errors import CheckpointError
from kandong.vlm.tokenizer_file import parse_whole_tokenizer, read_tokenizer, split_before_model

GOLDEN = Path(__file__).parents[1] / "golden" / "tied" / "tokenizer.json"
TEXTS = ("价格是 39.9 元 <|im_end|>", "Hello  world\n\n<|image_pad|> don't", "")


def specification() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))
    return loaded


def reordered(last: str) -> str:
    parts = specification()
    part = parts.pop(last)
    return json.dumps({**parts, last: part}, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("last", ["model", "added_tokens", "post_processor"])
def test_the_quick_way_gives_the_same_tokenizer_whatever_the_order(tmp_path: Path, last: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(reordered(last), encoding="utf-8")
    quick, quick_added = read_tokenizer(path)
    plain, plain_added = parse_whole_tokenizer(path)
    assert quick_added == plain_added == specification()["added_tokens"]
    assert json.loads(quick.to_str()) == json.loads(plain.to_str())
    for text in TEXTS:
        assert quick.encode(text).ids == plain.encode(text).ids


def test_control_tokens_named_twice_stay_out(tmp_path: Path) -> None:
    parts = specification()
    twice = json.dumps(parts, ensure_ascii=False)[:-1] + ', "added_tokens": ' + json.dumps(parts["added_tokens"]) + "}"
    path = tmp_path / "tokenizer.json"
    path.write_text(twice, encoding="utf-8")
    tokenizer, added = read_tokenizer(path)
    assert added == parts["added_tokens"]
    assert not tokenizer.get_added_tokens_decoder()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": 3}', '{"version": "1.0", ', '{"model": {}} and more'])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError):
        read_tokenizer(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_only_what_stands_before_the_model_is_parsed() -> None:
    head, rest = split_before_model('{ "a" : [1, {"model": 2}],\n"model": nonsense')
    assert head == {"a": [1, {"model": 2}]}
    assert rest == '"model": nonsense'
