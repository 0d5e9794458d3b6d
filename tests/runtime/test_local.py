"""The Python interface: questions, conversations, and inputs of every kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kandong
from kandong import Answer, Kandong, KandongError, TextPiece
from kandong.errors import InputError, ModelNotFoundError, PictureError
from tests.inspection import GOLDEN

CARD = GOLDEN / "pictures" / "square.png"
OTHER = GOLDEN / "pictures" / "other.png"


@pytest.fixture(scope="module")
def kd() -> Kandong:
    return Kandong(GOLDEN / "tied", precision="f32")


def test_paths_bytes_and_decoded_pictures_answer_alike(kd: Kandong) -> None:
    from kandong.reading.images import load_picture

    sources: list[Any] = [str(CARD), CARD, CARD.read_bytes(), load_picture(CARD)]
    answers = {kd.ask([source], "价格？", max_tokens=12).token_ids for source in sources}
    assert len(answers) == 1


def test_one_picture_needs_no_list(kd: Kandong) -> None:
    assert kd.ask(str(CARD), "?", max_tokens=3).token_ids == kd.ask([CARD], "?", max_tokens=3).token_ids


def test_stream_yields_the_text_of_the_answer(kd: Kandong) -> None:
    events = list(kd.stream([CARD], "价格？", max_tokens=12))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert "".join(e.text for e in events if isinstance(e, TextPiece)) == answer.text


def test_description_is_plain_json_with_all_that_was_promised(kd: Kandong) -> None:
    described = kd.describe(kd.ask([CARD], "价格？", max_tokens=5))
    assert described["finish_reason"] == "length"
    assert described["usage"]["completion_tokens"] == 5
    picture = {"width_px": 128, "height_px": 128, "grid": [4, 4], "tokens": 16, "cached": True, "origin": "memory"}
    assert described["pictures"] == [picture]
    stages = {"queue", "preprocess", "vision", "prefill", "decode"}
    assert set(described["timings_ms"]) == {"load", "first_token", "total"} | stages


def test_conversation_keeps_its_turns_and_takes_them_back(kd: Kandong) -> None:
    chat = kd.chat([CARD], system="简短回答")
    first = chat.ask("价格？", max_tokens=4)
    chat.add_pictures([OTHER])
    second = chat.ask("这张呢？", max_tokens=4)
    assert [m.role for m in chat.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert second.num_prompt_tokens > first.num_prompt_tokens + first.num_generated_tokens
    assert len(second.pictures) == 2
    assert chat.undo()
    # The picture of the undone question waits for the next one.
    again = chat.ask("这张呢？", max_tokens=4)
    assert again.token_ids == second.token_ids
    assert chat.undo()
    assert chat.undo()
    assert not chat.undo()
    assert chat.ask("价格？", max_tokens=4).num_prompt_tokens > first.num_prompt_tokens  # both pictures wait now


def test_cancelled_or_failed_turn_leaves_no_trace(kd: Kandong) -> None:
    chat = kd.chat([CARD])
    stream = chat.stream("价格？")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert chat.messages == ()
    with pytest.raises(KandongError):
        chat.ask("字" * 40_000)
    assert chat.messages == ()
    assert len(chat.ask("价格？", max_tokens=2).pictures) == 1


def test_picture_that_cannot_be_read_adds_none_of_its_group(kd: Kandong) -> None:
    chat = kd.chat()
    with pytest.raises(PictureError):
        chat.add_pictures([CARD, b"not a picture"])
    assert chat.ask("有图吗？", max_tokens=1).pictures == ()


@pytest.mark.parametrize("question", ["", "  \n", None, 5])
def test_empty_question_is_an_input_error(kd: Kandong, question: Any) -> None:
    with pytest.raises(InputError, match="empty") as caught:
        kd.ask([CARD], question)
    assert caught.value.field == "question"


@pytest.mark.parametrize("source", ["https://example.com/a.png", "HTTP://x/y.jpg", "data:image/png;base64,AAAA"])
def test_web_addresses_are_never_fetched(kd: Kandong, source: str) -> None:
    with pytest.raises(InputError, match="fetches nothing"):
        kd.ask([source], "?")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"precision": "int3"}, "precision"),
        ({"compute": "f16"}, "compute"),
        ({"num_threads": 0}, "num_threads"),
        ({"context_tokens": 5}, "context_tokens"),
    ],
)
def test_bad_loading_options_name_the_field(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        Kandong(GOLDEN / "tied", **options)
    assert caught.value.field == field


def test_missing_model_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError) as caught:
        Kandong("2b")
    assert "kandong pull Qwen/Qwen3-VL-2B-Instruct" in (caught.value.hint or "")


def test_public_names_are_all_there_and_sorted() -> None:
    assert list(kandong.__all__) == sorted(kandong.__all__)
    for name in kandong.__all__:
        assert getattr(kandong, name) is not None
    with pytest.raises(AttributeError):
        kandong.nothing  # noqa: B018


def test_import_pulls_in_no_heavy_library() -> None:
    script = "import sys, kandong; print([m for m in ('numpy', 'openvino', 'PIL', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
