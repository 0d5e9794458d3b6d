"""Caches on the real graphs: a restart, a damaged file, other prompts, and how much memory keys and values get."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kandong.errors import ResourceError
from kandong.types import Picture
from kandong.vlm import kvcache
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.features import SUFFIX
from kandong.vlm.loading import LoadingOptions, load_model
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Request
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN, golden_engine, golden_request

SAMPLING = SamplingParameters(max_tokens=12, ignore_eos=True)


def fresh_engine(folder: Path | None = None, precision: str = "f32") -> Engine:
    """Give an engine with empty caches and blocks of its own."""
    return Engine(GOLDEN / "tied", EngineOptions(precision=Precision(precision), feature_folder=folder))


def answer_of(engine: Engine, request: Request) -> Answer:
    *_, answer = engine.generate(request)
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_after_a_restart_no_picture_is_seen_again_and_the_answer_is_the_same(tmp_path: Path, precision: str) -> None:
    request = golden_request("two_pictures", SAMPLING)
    first_engine = fresh_engine(tmp_path, precision)
    first = answer_of(first_engine, request)
    first_engine.pictures.cache.flush()
    engine = fresh_engine(tmp_path, precision)
    second = answer_of(engine, request)
    assert [p.origin for p in first.pictures] == ["computed", "computed"]
    assert [p.origin for p in second.pictures] == ["disk", "disk"]
    assert engine.telemetry()["num_vision_stages"] == 0
    assert second.token_ids == first.token_ids


def test_another_precision_finds_nothing(tmp_path: Path) -> None:
    request = golden_request("square", SAMPLING)
    answer_of(fresh_engine(tmp_path, "f32"), request)
    assert [p.origin for p in answer_of(fresh_engine(tmp_path, "int8"), request).pictures] == ["computed"]


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    request = golden_request("square", SAMPLING)
    first_engine = fresh_engine(tmp_path)
    first = answer_of(first_engine, request)
    first_engine.pictures.cache.flush()
    (path,) = tmp_path.rglob(f"*{SUFFIX}")
    content = bytearray(path.read_bytes())
    content[-5] ^= 0x40
    path.write_bytes(content)
    engine = fresh_engine(tmp_path)
    second = answer_of(engine, request)
    assert second.pictures[0].origin == "computed"
    assert second.token_ids == first.token_ids
    assert engine.telemetry()["num_feature_damaged"] == 1
    engine.pictures.cache.flush()
    assert answer_of(fresh_engine(tmp_path), request).pictures[0].origin == "disk"


def test_other_words_and_another_order_need_no_vision_and_change_nothing_else() -> None:
    pictures = [
        Picture(np.random.default_rng(i).integers(0, 256, (128, 160, 3), dtype=np.uint8), "PNG") for i in range(2)
    ]

    def ask(system: str, order: tuple[int, ...]) -> Request:
        parts: list[PicturePart | TextPart] = [*(PicturePart(i) for i in order), TextPart("有什么不同？")]
        return Request([Message("system", (TextPart(system),)), Message("user", tuple(parts))], pictures, SAMPLING)

    engine = fresh_engine()
    answer_of(engine, ask("一", (0, 1)))
    stages = engine.telemetry()["num_vision_stages"]
    for request in (ask("另一个系统提示", (0, 1)), ask("一", (1, 0)), ask("一", (1, 1, 0))):
        warm = answer_of(engine, request)
        assert all(p.is_cached for p in warm.pictures)
        assert warm.token_ids == answer_of(fresh_engine(), request).token_ids
    assert engine.telemetry()["num_vision_stages"] == stages


def test_a_conversation_computes_only_what_is_new() -> None:
    engine = fresh_engine()
    request = golden_request("large", SAMPLING)
    first = answer_of(engine, request)
    messages = [
        *request.messages,
        Message("assistant", (TextPart(first.text),)),
        Message("user", (TextPart("为什么？"),)),
    ]
    second = answer_of(engine, dataclasses.replace(request, messages=messages))
    assert second.counts.num_cached_tokens >= first.num_prompt_tokens // 32 * 32 > 0
    cold = answer_of(fresh_engine(), dataclasses.replace(request, messages=messages))
    assert second.token_ids == cold.token_ids


def load(**options: object) -> Engine:
    return Engine(GOLDEN / "tied", EngineOptions(**options))  # type: ignore[arg-type]


def test_keys_and_values_take_what_was_stated_and_the_context_follows() -> None:
    whole = golden_engine("tied").model
    assert whole.context_tokens <= whole.num_blocks * 32
    block_bytes = 5 * 2 * 2 * 32 * 32 * 2  # layers, keys and values, heads, places, width, bytes of float16 or bfloat16
    engine = load(kv_cache_bytes=20 * block_bytes + 5)
    assert engine.model.num_blocks == 20
    assert engine.context_tokens == 640


@pytest.mark.parametrize(("stated", "words"), [(1, "at least 512"), (2**60, "are free")])
def test_a_budget_that_cannot_be_is_refused_with_the_remedy(stated: int, words: str) -> None:
    with pytest.raises(ResourceError, match=words) as caught:
        load(kv_cache_bytes=stated)
    assert caught.value.field == "kv_cache_bytes"
    assert "kv_cache_bytes" in str(caught.value.hint)


def test_memory_that_is_not_there_is_a_resource_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(kvcache, "np", SimpleNamespace(zeros=no_memory))
    with pytest.raises(ResourceError, match="Not enough memory for keys and values"):
        load_model(GOLDEN / "tied", LoadingOptions(Precision.F32, None, None, 1024, None), lambda _: None)
