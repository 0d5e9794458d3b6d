"""Bytes of tokens: put together they are the text, and the slow way through the tokenizer agrees."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kandong.errors import CheckpointError
from kandong.vlm.config import read_model_config
from kandong.vlm.prompt import PromptEncoder
from kandong.vlm.vocabulary import Vocabulary
from tests.inspection import CHECKPOINTS, GOLDEN

TEXT = "价格 85 元！\n\tCafé ☕️ 👩‍👩‍👧 \u0000\u00ad\u00a0 <|im_end|> ￥199.00 第二件半价"


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_bytes_of_tokens_are_the_text(checkpoint: str) -> None:
    folder = GOLDEN / checkpoint
    prompts = PromptEncoder(folder, read_model_config(folder))
    vocabulary = Vocabulary(folder)
    ids = prompts.encode_text(TEXT)
    assert b"".join(map(vocabulary.bytes_of, ids)).decode() == TEXT
    for token in range(300):
        if token not in prompts.control_ids:
            assert vocabulary.bytes_of(token).decode("utf-8", "replace") == prompts.decode([token])
            assert not vocabulary.is_control(token)
    assert {token for token in range(400) if vocabulary.is_control(token)} <= prompts.control_ids


def test_end_token_is_no_text() -> None:
    config = read_model_config(GOLDEN / "tied")
    vocabulary = Vocabulary(GOLDEN / "tied")
    assert all(map(vocabulary.is_control, config.eos_token_ids))
    assert vocabulary.bytes_of(10**6) == b""


def test_damaged_file_is_told(tmp_path: Path) -> None:
    for damage in (b"", b"{}", b'{"model": 1}', b"\xff"):
        (tmp_path / "tokenizer.json").write_bytes(damage)
        with pytest.raises(CheckpointError):
            Vocabulary(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(CheckpointError):
        Vocabulary(tmp_path)
