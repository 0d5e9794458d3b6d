"""A post: words, pictures, comments, and what its shop says about the product.

Owns: the fields, their limits, and reading them from JSON with errors that name the field. Must not know: where a
picture comes from (the caller resolves names), what is done with a post.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from kandong.errors import InputError
from kandong.types import Picture

MAX_TEXT_CHARACTERS: Final = 20_000
MAX_COMMENT_CHARACTERS: Final = 2_000
MAX_COMMENTS: Final = 200
MAX_PICTURES: Final = 20
MAX_FACTS: Final = 50
MAX_FACT_CHARACTERS: Final = 500
MAX_PRICE: Final = Decimal(10) ** 9
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

PictureResolver = Callable[[Any, str], Picture]


@dataclass(frozen=True)
class Gift:
    """A gift as the shop states it; ``quantity`` where it is stated."""

    name: str
    quantity: Decimal | None = None


@dataclass(frozen=True)
class ProductFacts:
    """What the seller's own records say; prices in yuan. What is not known is ``None``, or an empty list."""

    name: str | None = None
    price: Decimal | None = None
    list_price: Decimal | None = None
    gifts: tuple[Gift, ...] | None = None
    specification: str | None = None
    certificates: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Comment:
    """One comment under a post."""

    text: str
    id: str | None = None


@dataclass(frozen=True)
class Post:
    """One post. ``time`` is ISO 8601, as given; ``platform`` a name such as xhs, weibo or douyin."""

    text: str = ""
    pictures: tuple[Picture, ...] = ()
    comments: tuple[Comment, ...] = ()
    platform: str | None = None
    time: str | None = None
    product: ProductFacts | None = None
    id: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at: neither words nor pictures."""
        return not self.text.strip() and not self.pictures


def parse_post(value: Any, resolve_picture: PictureResolver | None = None, *, field: str = "post") -> Post:
    """Read a post from JSON data; ``field`` is the path that errors begin with.

    Fields: ``id, text, pictures[], comments[] (texts or {id, text}), platform, time, product {name, price, list_price,
    gifts[] (texts or {name, quantity}), specification, certificates[]}``. ``resolve_picture(entry, path)`` gives the
    picture for an entry of ``pictures``. Unknown fields are ignored. Errors: ``InputError`` naming the field.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{field} must be an object.", hint='Write {"text": "…"}.', field=field)
    entries = _list(value, "pictures", field, MAX_PICTURES)
    if entries and resolve_picture is None:
        raise InputError("Pictures cannot be named here.", hint="Send them beside the post.", field=f"{field}.pictures")
    pictures = [resolve_picture(e, f"{field}.pictures[{i}]") for i, e in enumerate(entries) if resolve_picture]
    comments = [
        _comment(entry, f"{field}.comments[{i}]")
        for i, entry in enumerate(_list(value, "comments", field, MAX_COMMENTS))
    ]
    post = Post(
        text=_text(value, "text", field, MAX_TEXT_CHARACTERS) or "",
        pictures=tuple(pictures),
        comments=tuple(comments),
        platform=_text(value, "platform", field, 40),
        time=_text(value, "time", field, 40),
        product=parse_product(value.get("product"), f"{field}.product"),
        id=_text(value, "id", field, 200),
    )
    check_post(post, field=field)
    return post


def check_post(post: Post, *, field: str = "post") -> None:
    """Refuse a post with nothing in it or too much of it. Errors: ``InputError`` naming the field."""
    if post.is_empty:
        raise InputError("The post has neither words nor pictures.", hint="Give at least one.", field=field)
    if len(post.pictures) > MAX_PICTURES:
        raise InputError(
            f"The post has {len(post.pictures)} pictures, allowed are {MAX_PICTURES}.", field=f"{field}.pictures"
        )
    if len(post.text) > MAX_TEXT_CHARACTERS:
        raise InputError(
            f"The post has {len(post.text):,} characters, allowed are {MAX_TEXT_CHARACTERS:,}.", field=f"{field}.text"
        )


def _list(value: Mapping[str, Any], name: str, field: str, limit: int) -> Sequence[Any]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list | tuple):
        raise InputError(f"{name} must be a list.", field=f"{field}.{name}")
    if len(found) > limit:
        raise InputError(f"{name} has {len(found):,} entries, allowed are {limit}.", field=f"{field}.{name}")
    return found


def _text(value: Mapping[str, Any], name: str, field: str, limit: int) -> str | None:
    return _plain_text(value.get(name), f"{field}.{name}", limit)


def _plain_text(found: Any, path: str, limit: int) -> str | None:
    if found is None:
        return None
    if not isinstance(found, str):
        raise InputError(f"{path} must be a text.", field=path)
    if len(found) > limit:
        raise InputError(f"{path} has {len(found):,} characters, allowed are {limit:,}.", field=path)
    # Half a surrogate pair can neither be encoded nor stored.
    return _CONTROLS.sub("", found).encode("utf-8", "replace").decode("utf-8")


def _needed_text(found: Any, path: str, limit: int) -> str:
    text = _plain_text(found, path, limit)
    if text is None or not text.strip():
        raise InputError(f"{path} is empty.", field=path)
    return text


def _comment(entry: Any, path: str) -> Comment:
    if isinstance(entry, Mapping):
        text = _needed_text(entry.get("text"), f"{path}.text", MAX_COMMENT_CHARACTERS)
        return Comment(text, _plain_text(entry.get("id"), f"{path}.id", 200))
    return Comment(_needed_text(entry, path, MAX_COMMENT_CHARACTERS))


def parse_product(value: Any, path: str) -> ProductFacts | None:
    """Read what a shop says about a product; ``None`` for none. Errors: ``InputError`` naming the field."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InputError(f"{path} must be an object.", field=path)
    gifts = None if value.get("gifts") is None else _list(value, "gifts", path, MAX_FACTS)
    certificates = None if value.get("certificates") is None else _list(value, "certificates", path, MAX_FACTS)
    return ProductFacts(
        name=_text(value, "name", path, MAX_FACT_CHARACTERS),
        price=_amount(value.get("price"), f"{path}.price"),
        list_price=_amount(value.get("list_price"), f"{path}.list_price"),
        gifts=None if gifts is None else tuple(_gift(g, f"{path}.gifts[{i}]") for i, g in enumerate(gifts)),
        specification=_text(value, "specification", path, MAX_FACT_CHARACTERS),
        certificates=None
        if certificates is None
        else tuple(
            _needed_text(c, f"{path}.certificates[{i}]", MAX_FACT_CHARACTERS) for i, c in enumerate(certificates)
        ),
    )


def _gift(entry: Any, path: str) -> Gift:
    if isinstance(entry, Mapping):
        name = _needed_text(entry.get("name"), f"{path}.name", MAX_FACT_CHARACTERS)
        return Gift(name, _amount(entry.get("quantity"), f"{path}.quantity"))
    return Gift(_needed_text(entry, path, MAX_FACT_CHARACTERS))


def _amount(value: Any, path: str) -> Decimal | None:
    """Read a number or its text, exactly."""
    if value is None:
        return None
    hint = "Write a number such as 39.9."
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"{path} must be a number.", hint=hint, field=path)
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise InputError(f"{path} is not a number.", hint=hint, field=path) from None
    if not amount.is_finite() or not 0 <= amount <= MAX_PRICE:
        raise InputError(f"{path} is out of range.", hint=f"From 0 to {MAX_PRICE:,}.", field=path)
    return amount
