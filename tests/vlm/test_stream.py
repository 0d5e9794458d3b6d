"""Streamed pieces are whole characters, hold no part of a stop string, and add up to the text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kandong.vlm.stream import TextStream
from tests.vlm.test_prompt import ENCODER


def as_bytes(ids: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes: every character of several bytes is split."""
    return bytes(ids).decode("utf-8", errors="replace")


def run(data: bytes, stop: Sequence[str] = ()) -> tuple[list[str], TextStream]:
    stream = TextStream(as_bytes, stop)
    pieces = []
    for byte in data:
        pieces.append(stream.push(byte))
        if stream.stopped_by is not None:
            break
    pieces.append(stream.finish())
    return pieces, stream


@given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=3))
@settings(max_examples=500, deadline=None)
def test_pieces_add_up_to_the_text_before_the_first_stop(text: str, stop: list[str]) -> None:
    text = text.replace("\ufffd", "")
    pieces, stream = run(text.encode(), stop)
    # The stream sees characters one by one, so the stop string that ends first wins, not the one that begins first.
    ends = [(text.find(s) + len(s), text.find(s)) for s in stop if s in text]
    expected = text[: min((place for end, place in ends if end == min(ends)[0]))] if ends else text
    assert "".join(pieces) == stream.text == expected
    assert (stream.stopped_by is not None) == bool(ends)


@given(st.text(min_size=1))
def test_no_piece_holds_half_a_character(text: str) -> None:
    text = text.replace("\ufffd", "")
    pieces, _ = run(text.encode())
    assert not any("\ufffd" in piece for piece in pieces)
    assert "".join(pieces) == text


def test_text_is_streamed_as_soon_as_it_is_certain() -> None:
    pieces, _ = run("价格85元".encode(), ["元整"])
    assert pieces == ["", "", "价", "", "", "格", "8", "5", "", "", "", "元"]


def test_truncated_last_character_is_flushed_as_replacement() -> None:
    pieces, stream = run("好".encode()[:2])
    assert "".join(pieces) == stream.text == "\ufffd"


def test_bytes_that_are_no_text_do_not_hold_the_stream_up() -> None:
    pieces, _ = run(b"\xff" * 40 + b"ok")
    assert any(pieces[:12])
    assert "".join(pieces).endswith("ok")


@pytest.mark.parametrize("text", ["优惠价：85元，赠品🎁先到先得", "naïve café — 10% off"])
def test_real_tokenizer_round_trips_through_the_stream(text: str) -> None:
    stream = TextStream(ENCODER.decode)
    pieces = [stream.push(token) for token in ENCODER.encode_text(text)]
    assert "".join([*pieces, stream.finish()]) == text
