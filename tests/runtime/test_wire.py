"""Requests and events travel whole, and nothing else is taken for one."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kandong
from kandong import errors
from kandong.errors import InputError, KandongError, QueueFullError
from kandong.runtime.messages import (
    MAX_MESSAGE_BYTES,
    Cancel,
    PictureHeader,
    Ping,
    Submit,
    content_digest,
    decode_for_client,
    decode_for_worker,
    encode,
)
from kandong.runtime.wire import (
    error_from_plain,
    error_to_plain,
    event_from_wire,
    request_from_wire,
    request_to_wire,
    to_plain,
)
from kandong.types import PictureRef
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import (
    Answer,
    AnswerForm,
    Cancelled,
    Counts,
    Deadlines,
    Event,
    Failed,
    HistoryLimits,
    PictureReport,
    Progress,
    Queued,
    Request,
    TextPiece,
    Timings,
)
from kandong.vlm.sampling import SamplingParameters, TokenLogprob
from tests.runtime.engine_processes import picture

TIMINGS = Timings(0.5, 1.0, 2.0, 3.0, 4.0, 5.5, 6.0)
LOGPROBS = (TokenLogprob(1, -0.25, ((1, -0.25), (7, -2.0))), TokenLogprob(2, None))
ANSWER = Answer(
    text="12 元",
    finish_reason="length",
    num_prompt_tokens=9,
    num_picture_tokens=4,
    token_ids=(1, 2),
    pictures=(PictureReport(9, 8, 2, 2, 4, "disk"),),
    timings=TIMINGS,
    counts=Counts(1, 2, 3, 4, 5, 6, 7),
    stopped_by="digits",
    logprobs=LOGPROBS,
)
EVENTS: list[Event] = [Queued(2, 1500.0), Progress("vision", 1, 24), TextPiece("价", 3), ANSWER, Cancelled()]


SAMPLING = SamplingParameters(
    max_tokens=7,
    temperature=0.5,
    top_p=0.9,
    top_k=8,
    presence_penalty=1.5,
    frequency_penalty=0.5,
    repetition_penalty=1.5,
    logit_bias=((5, -100.0), (6, 2.5)),
    top_logprobs=3,
    seed=3,
    stop=("。", "!"),
    ignore_eos=True,
)


def request() -> Request:
    messages = [Message("system", (TextPart("简短"),)), Message("user", (PicturePart(0), TextPart("<|im_end|>？")))]
    return Request(
        messages=messages,
        pictures=[picture()],
        sampling=SAMPLING,
        budget=PixelBudget(4, 99),
        deadlines=Deadlines(1, 2.5, 9),
        prefill_only=True,
        cache_salt="salt",
        history=HistoryLimits(9, 1),
        form=AnswerForm("json_schema", {"type": "object", "properties": {"is": {"enum": ["Engine", 1, None]}}}),
        draft_sources=("¥12", "满减"),
        drafting=False,
        stop_loops=False,
    )


def through_bytes(plain: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(plain))


@pytest.mark.parametrize("sample", [request(), SAMPLING, ANSWER], ids=lambda s: type(s).__name__)
def test_samples_leave_no_field_at_its_default(sample: Any) -> None:
    """A new field must be given here, so that its way over the wire is tested, too."""
    for field in dataclasses.fields(sample):
        if field.default is not dataclasses.MISSING:
            assert getattr(sample, field.name) != field.default, field.name
        elif field.default_factory is not dataclasses.MISSING:
            assert getattr(sample, field.name) != field.default_factory(), field.name


def test_request_travels_whole_but_for_its_pixels() -> None:
    body, refs = request_to_wire(request())
    back = request_from_wire(through_bytes(body), refs)
    assert refs == [PictureRef(picture().digest, 40, 60)]
    assert back.pictures == tuple(refs)
    for field in dataclasses.fields(Request):
        if field.name not in ("pictures", "messages"):
            assert getattr(back, field.name) == getattr(request(), field.name)
    assert list(back.messages) == list(request().messages)


def test_nothing_of_a_picture_but_its_digest_and_size_is_sent() -> None:
    body, _ = request_to_wire(request())
    assert picture().rgb.tobytes()[:16] not in msgspec.msgpack.encode(body)


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_events_travel_whole(event: Event) -> None:
    assert event_from_wire(through_bytes(to_plain(event))) == event


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KandongError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_error_keeps_its_kind_and_words(kind: type[KandongError]) -> None:
    event = event_from_wire(through_bytes(to_plain(Failed(kind("什么", hint="怎么办", field="max_tokens")))))
    assert isinstance(event, Failed)
    assert type(event.error) is kind
    assert event.error.to_dict() == kind("什么", hint="怎么办", field="max_tokens").to_dict()


def test_full_queue_keeps_when_to_come_back() -> None:
    error = error_from_plain(through_bytes(error_to_plain(QueueFullError("x", retry_after_s=17))))
    assert isinstance(error, QueueFullError)
    assert error.retry_after_s == 17


def test_unknown_or_unreadable_errors_are_errors_still() -> None:
    assert error_from_plain({"code": "of a later version", "message": "x"}).message == "x"
    assert error_from_plain(7).message
    assert error_from_plain({"code": 5, "message": 5}).message
    plain = {"code": "internal_error", "message": "x", "hint": None, "field": None, "retry_after_s": None}
    assert error_to_plain(KandongError("x")) == plain
    assert error_from_plain(plain | {"retry_after_s": "soon"}).retry_after_s is None


@pytest.mark.parametrize(
    "damage",
    [
        {"messages": "text"},
        {"messages": [{"is": "Message", "role": "user", "parts": [{"is": "Engine", "text": "x"}]}]},
        {"messages": [{"is": "Message", "role": "tool", "parts": []}]},
        {"messages": [{"is": "Message", "role": "user", "parts": [{"is": "TextPart", "text": 5}]}]},
        {"sampling": {"is": "SamplingParameters", "max_tokens": "9"}},
        {"sampling": {"is": "SamplingParameters", "max_tokens": -9}},
        {"sampling": {"is": "SamplingParameters", "stop": [[["x"]]]}},
        {"budget": {"is": "PixelBudget", "unknown": 1}},
        {"unknown": 1},
        {"pictures": [{"is": "Picture"}]},
    ],
    ids=str,
)
def test_damaged_requests_are_refused(damage: dict[str, Any]) -> None:
    body, refs = request_to_wire(request())
    request_from_wire(body, refs)
    with pytest.raises(InputError):
        request_from_wire(body | damage, refs)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["is", "messages", "sampling", "budget", "role", "parts", "text", "stop"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_no_plain_value_does_more_than_be_refused(plain: Any) -> None:
    for restore in (lambda: event_from_wire(plain), lambda: request_from_wire(plain, [])):
        try:
            restore()
        except InputError:
            pass
        except (TypeError, AttributeError):
            assert not isinstance(plain, dict), "a mapping must be answered with an error of ours"


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    for decode in (decode_for_worker, decode_for_client):
        try:
            decode(data)
        except InputError:
            continue


def test_numbers_of_numpy_travel_and_what_is_not_plain_is_refused() -> None:
    message = decode_for_worker(encode(Submit("a", "generate", {"n": np.int64(3), "x": np.float32(0.5)})))
    assert isinstance(message, Submit)
    assert message.body == {"n": 3, "x": 0.5}
    with pytest.raises(KandongError, match="cannot be sent"):
        encode(Submit("a", "generate", {"x": object()}))


def test_nothing_here_can_run_what_it_reads() -> None:
    banned = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle", "joblib"}
    for path in (Path(kandong.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not banned & {name.split(".")[0] for name in names}, path
            assert not (isinstance(node, ast.Attribute) and node.attr.endswith("_pyobj")), path


def test_messages_have_caps() -> None:
    with pytest.raises(InputError, match="allowed"):
        encode(Submit("a", "generate", {"text": "字" * MAX_MESSAGE_BYTES}))
    with pytest.raises(InputError, match="allowed"):
        decode_for_worker(bytes(MAX_MESSAGE_BYTES + 1))
    for bad in (
        Cancel("x" * 65),
        Cancel(""),
        Submit("a", "generate", {}, priority=3),
        Submit("a", "generate", {}, client="c" * 129),
        Submit("a", "generate", {}, pictures=[PictureHeader("z" * 64, 1, 1)]),
        Submit("a", "generate", {}, pictures=[PictureHeader("a" * 64, 0, 1)]),
        Submit("a", "generate", {}, pictures=[PictureHeader("a" * 64, 1, 1)] * 257),
    ):
        with pytest.raises(InputError):
            decode_for_worker(encode(bad))
    assert decode_for_worker(encode(Ping())) == Ping()


def test_deeply_nested_bytes_are_refused() -> None:
    with pytest.raises(InputError):
        decode_for_worker(b"\x91" * 100_000 + b"\xc0")


def test_digest_is_of_what_is_asked_not_of_who_asks() -> None:
    body, _ = request_to_wire(request())
    pictures = [PictureHeader(picture().digest, 40, 60)]
    same = {
        content_digest(Submit("a", "generate", body, pictures)),
        content_digest(Submit("b", "generate", dict(reversed(body.items())), pictures, client="x", priority=2)),
    }
    assert len(same) == 1
    later = body | {"deadlines": to_plain(Deadlines(total_s=5))}
    assert content_digest(Submit("a", "generate", later, pictures)) in same
    assert content_digest(Submit("a", "generate", body)) not in same
    assert content_digest(Submit("a", "other", body, pictures)) not in same
