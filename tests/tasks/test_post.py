"""Posts from JSON: every field, and errors that name it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from kandong.errors import InputError
from kandong.tasks.post import MAX_COMMENTS, Gift, Post, parse_post
from kandong.types import Picture

PICTURE = Picture(np.zeros((8, 8, 3), np.uint8), "png")


def test_every_field_is_read() -> None:
    value = {
        "id": "n1",
        "text": "现价39.9元",
        "pictures": ["a.png"],
        "comments": ["没有赠品", {"id": "c2", "text": "好用"}],
        "platform": "xhs",
        "time": "2026-11-11T10:00:00Z",
        "product": {
            "name": "面膜",
            "price": 39.9,
            "list_price": "99",
            "gifts": ["梳子", {"name": "小样", "quantity": 2}],
            "specification": "25ml×10",
            "certificates": ["国妆特字G20261234"],
        },
        "unknown": 1,
    }
    post = parse_post(value, lambda entry, path: PICTURE if (entry, path) == ("a.png", "post.pictures[0]") else None)  # type: ignore[arg-type, return-value]
    assert (post.id, post.text, post.pictures, post.platform) == ("n1", "现价39.9元", (PICTURE,), "xhs")
    assert [comment.text for comment in post.comments] == ["没有赠品", "好用"]
    assert post.product is not None
    assert (post.product.price, post.product.list_price) == (Decimal("39.9"), Decimal(99))
    assert post.product.gifts == (Gift("梳子"), Gift("小样", Decimal(2)))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "post"),
        ({}, "post"),
        ({"text": "  "}, "post"),
        ({"text": 3}, "post.text"),
        ({"text": "好" * 20_001}, "post.text"),
        ({"text": "好", "pictures": "a.png"}, "post.pictures"),
        ({"text": "好", "pictures": ["a.png"]}, "post.pictures"),
        ({"text": "好", "comments": [""]}, "post.comments[0]"),
        ({"text": "好", "comments": ["一", {"text": 1}]}, "post.comments[1].text"),
        ({"text": "好", "comments": ["一"] * (MAX_COMMENTS + 1)}, "post.comments"),
        ({"text": "好", "product": 1}, "post.product"),
        ({"text": "好", "product": {"price": "便宜"}}, "post.product.price"),
        ({"text": "好", "product": {"price": True}}, "post.product.price"),
        ({"text": "好", "product": {"price": "NaN"}}, "post.product.price"),
        ({"text": "好", "product": {"list_price": -1}}, "post.product.list_price"),
        ({"text": "好", "product": {"gifts": [{"quantity": 2}]}}, "post.product.gifts[0].name"),
        ({"text": "好", "product": {"gifts": [{"name": "梳", "quantity": "x"}]}}, "post.product.gifts[0].quantity"),
        ({"text": "好", "product": {"certificates": "无"}}, "post.product.certificates"),
    ],
)
def test_an_error_names_its_field(value: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_post(value)
    assert caught.value.field == field


def test_control_characters_and_half_surrogates_do_not_come_in() -> None:
    assert parse_post({"text": "a\x00b\ud800c\n"}).text == "ab?c\n"


def test_no_gifts_known_and_no_gifts_at_all_differ() -> None:
    unknown, none = parse_post({"text": "好", "product": {}}), parse_post({"text": "好", "product": {"gifts": []}})
    assert unknown.product is not None
    assert none.product is not None
    assert unknown.product.gifts is None
    assert none.product.gifts == ()
    assert Post("好").product is None
