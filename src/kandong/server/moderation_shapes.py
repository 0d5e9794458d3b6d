"""Moderation in the shape that OpenAI's clients know.

Owns: these shapes, and from a report of ours to them. Must not know: routes, how a post is judged.

OpenAI's thirteen categories are there, as clients read them by name, but no rule of ours judges most of them: those are
false with a score of 0 and named in ``kandong.unchecked_categories``. Our own are added as ``kandong/…``.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from kandong.errors import InputError

MAX_INPUTS = 64
_OPENAI = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
# Which of OpenAI's categories a label of ours belongs to as well.
_ALSO = {"Porn": "sexual", "Abuse": "harassment", "Illegal": "illicit"}
_SOURCES = {"post_text": "text", "comment": "text", "image_text": "image", "image": "image", "code": "image"}
_SCORE_SCALE = 100


class ModerationBody(msgspec.Struct, frozen=True):
    """``input``: a text, a list of texts, each judged alone, or a list of parts (text, image_url), judged together."""

    input: str | Annotated[list[str | dict[str, Any]], msgspec.Meta(min_length=1, max_length=MAX_INPUTS)]
    model: str | None = None


class ModerationResult(msgspec.Struct, frozen=True):
    """One verdict; ``kandong`` is the whole report with places, articles and rewordings."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]
    kandong: dict[str, Any]


class Moderation(msgspec.Struct, frozen=True):
    """The verdicts, in the order of the inputs."""

    id: str
    model: str
    results: list[ModerationResult]


def posts_of(body: ModerationBody) -> list[tuple[str, list[tuple[Any, str]]]]:
    """Give what is to be judged: for each post its text, and its pictures with the places that name them.

    Errors: ``InputError`` naming the part at fault.
    """
    if isinstance(body.input, str):
        return [(_needed(body.input, "input"), [])]
    if all(isinstance(entry, str) for entry in body.input):
        return [(_needed(entry, f"input[{i}]"), []) for i, entry in enumerate(body.input) if isinstance(entry, str)]
    texts: list[str] = []
    pictures: list[tuple[Any, str]] = []
    for i, part in enumerate(body.input):
        place = f"input[{i}]"
        if not isinstance(part, dict) or part.get("type") not in ("text", "image_url"):
            raise InputError(f"{place} must be a part of type text or image_url.", field=f"{place}.type")
        if part["type"] == "image_url":
            pictures.append((part, place))
        elif isinstance(text := part.get("text"), str):
            texts.append(text)
        else:
            raise InputError(f"{place}.text must be a text.", field=f"{place}.text")
    text = "\n".join(texts)
    return [(text if pictures else _needed(text, "input"), pictures)]


def _needed(text: str, place: str) -> str:
    if not text.strip():
        raise InputError(f"{place} is empty.", field=place)
    return text


def moderation_of(found: Sequence[tuple[dict[str, Any], bool, bool]]) -> Moderation:
    """Give the answer for reports of ours, each with whether its post had words and pictures."""
    results = [_result_of(report, has_text=text, has_pictures=pictures) for report, text, pictures in found]
    version = found[0][0].get("rules_version") if found else None
    return Moderation(f"modr-{secrets.token_hex(12)}", f"kandong-rules-{version}", results)


def _result_of(report: dict[str, Any], *, has_text: bool, has_pictures: bool) -> ModerationResult:
    verdict = report["result"]
    applied: dict[str, set[str]] = {}
    scores: dict[str, float] = {}
    for hit in verdict["hits"]:
        weight = {"block": 1.0, "review": 0.6}.get(hit["suggest"], 0.3)
        names = [f"kandong/{hit['label']}/{hit['sub_label']}".lower()]
        names += [_ALSO[hit["label"]]] if hit["label"] in _ALSO else []
        for name in names:
            applied.setdefault(name, set()).add(_SOURCES.get(hit["evidence"]["source"], "text"))
            scores[name] = max(scores.get(name, 0.0), weight * verdict["score"] / _SCORE_SCALE)
    names = [*_OPENAI, *(name for name in applied if name not in _OPENAI)]
    judged = set(_ALSO.values())
    inputs = (["text"] if has_text else []) + (["image"] if has_pictures else [])
    return ModerationResult(
        flagged=verdict["suggestion"] != "pass",
        categories={name: name in applied for name in names},
        category_scores={name: round(scores.get(name, 0.0), 4) for name in names},
        category_applied_input_types={
            name: sorted(applied[name]) if name in applied else (inputs if name in judged else []) for name in names
        },
        kandong={**report, "unchecked_categories": [name for name in _OPENAI if name not in judged]},
    )
