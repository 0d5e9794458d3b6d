"""A request's body and query as typed values, with faults named by their place.

Owns: JSON bytes → the type that a route takes; query strings → the types that it names. Must not know: what routes do.
Unknown names are ignored, as clients send them; a wrong type or a value out of range is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from werkzeug.datastructures import MultiDict

from kandong.errors import InputError
from kandong.typed_values import from_json, from_plain

_PATH = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_EXPECTED = re.compile(
    r"^Expected `([^`]+)`(?:, got `([^`]+)`| ([<>]=?|of length|matching regex|that's a multiple) ?(.*))?"
)
_HINT = "Send one JSON object in UTF-8."


def decode_body(data: bytes, kind: Any) -> Any:
    """Decode a JSON body. Errors: ``InputError`` whose ``field`` is the place, as ``messages[0].content``."""
    if not data.strip():
        raise InputError("The request has no body.", hint=_HINT)
    try:
        return from_json(data, kind)
    except msgspec.ValidationError as error:
        raise _told(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputError("The body is not valid JSON.", hint=_HINT) from None
    except RecursionError:
        raise InputError("The body is nested too deeply.", hint=_HINT) from None


def convert_value(value: Any, kind: Any, field: str, *, strict: bool = True) -> Any:
    """Turn a plain value into a type; without ``strict`` "3" counts as 3. Errors: ``InputError``."""
    try:
        return from_plain(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _told(str(error), root=field) from None


def decode_query(arguments: MultiDict[str, str], names: Sequence[tuple[str, Any, str]]) -> dict[str, Any]:
    """Give the named query values that are there, each of its type. Errors: ``InputError`` naming the one at fault."""
    return {
        name: convert_value(arguments[name], kind, name, strict=False) for name, kind, _ in names if name in arguments
    }


def _told(text: str, root: str = "") -> InputError:
    """Say in our own words what the decoder found; of its text only type names and bounds are used."""
    path = _PATH.search(text)
    place = f"{root}{path[1] if path else ''}".replace("[...]", "").lstrip(".")
    if missing := _MISSING.search(text):
        place = f"{place}.{missing[1]}".lstrip(".")
        return InputError(f"{place} is missing.", field=place)
    what = place or "The body"
    if text.startswith("Invalid enum value"):
        return InputError(f"{what} is not one of the known values.", field=place or None)
    expected = _EXPECTED.match(text)
    if expected is None:
        return InputError(f"{what} does not have the right form.", field=place or None)
    wanted, got, relation, bound = expected.groups()
    if got:
        return InputError(f"{what} must be {wanted}, not {got}.", field=place or None)
    if relation == "of length":
        return InputError(f"The length of {what} must be {bound.split(' - at')[0]}.", field=place or None)
    if relation in ("<", "<=", ">", ">="):
        return InputError(f"{what} must be {relation} {bound.split(' - at')[0]}.", field=place or None)
    return InputError(f"{what} does not have the right form.", field=place or None)
