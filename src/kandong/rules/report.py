"""The report of moderation: what was found, where, by which rule, and what to do.

Owns: the fields and their JSON. Must not know: how they are found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Literal

from kandong.rules.rule import Suggestion

Source = Literal["post_text", "image_text", "image", "code", "comment"]
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the picture


@dataclass(frozen=True)
class TextLine:
    """One text to judge: a post's words, a line read in a picture, a code's content.

    ``character_boxes``, where given, has one box a character of ``text``. ``is_suspected_instruction`` marks text that
    somebody else has found to speak to a model; what the rules find themselves is added to it.
    """

    text: str
    source: Source = "post_text"
    image_index: int | None = None
    line_id: str | None = None
    box: Box | None = None
    conf: float | None = None
    is_suspected_instruction: bool = False
    character_boxes: tuple[Box, ...] | None = None


@dataclass(frozen=True)
class Place:
    """Characters of one line; ``span`` counts them in the line's text as it was given."""

    line_id: str | None
    span: tuple[int, int]
    quote: str
    box: Box | None


@dataclass(frozen=True)
class Evidence:
    """Where something was found. ``span`` counts characters of the line's text as it was given.

    A word that a line's end breaks has ``line_id``, ``span`` and ``box`` of its beginning, the whole ``quote``, and in
    ``continued`` the places where it goes on.
    """

    source: Source
    image_index: int | None
    line_id: str | None
    span: tuple[int, int] | None
    quote: str
    box: Box | None
    conf: float | None
    continued: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Hit:
    """Words against a rule. ``normalized_from`` is the spelling found where it is not the term itself."""

    rule_id: str
    title: str
    label: str
    sub_label: str
    law: str
    article: str
    penalty_article: str | None
    certainty: str
    severity: str
    term: str
    normalized_from: str | None
    reason: str
    reword: str
    evidence: Evidence
    suggest: Suggestion
    decided_by: Literal["rule", "model", "both"] = "rule"


@dataclass(frozen=True)
class Exempted:
    """Words of a rule that are lawful here, and why."""

    rule_id: str
    term: str
    exemption: str
    basis: str
    certainty: str
    evidence: Evidence


@dataclass(frozen=True)
class MissingNotice:
    """What must be shown and is not; ``evidence`` is what makes it necessary."""

    rule_id: str
    title: str
    label: str
    sub_label: str
    law: str
    article: str
    certainty: str
    required: str
    missing: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True)
class NeedsProof:
    """A statement that is lawful if it can be proved.

    ``because`` tells whether the statement itself asks for proof, or what was shown, or what exempted it.
    """

    rule_id: str
    title: str
    law: str
    article: str
    certainty: str
    term: str
    proof: str
    because: Literal["statement", "notice", "exemption"]
    evidence: Evidence


@dataclass(frozen=True)
class ArithmeticFinding:
    """Numbers of a promotion that do not add up."""

    rule_id: str
    title: str
    law: str
    article: str
    certainty: str
    kind: str
    claimed: Decimal
    computed: Decimal
    formula: str
    evidence: Evidence


@dataclass(frozen=True)
class AdVerdict:
    """Whether the post advertises, and the words that show it."""

    value: bool
    signals: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModerationReport:
    """The verdict on one post, by rules alone."""

    suggestion: Suggestion
    label: str
    sub_label: str
    score: int
    risk_level: Literal["none", "low", "medium", "high"]
    is_ad: AdVerdict
    rules_version: str
    hits: tuple[Hit, ...] = ()
    exempted: tuple[Exempted, ...] = ()
    missing_notices: tuple[MissingNotice, ...] = ()
    needs_proof: tuple[NeedsProof, ...] = ()
    arithmetic: tuple[ArithmeticFinding, ...] = ()
    suspected_instructions: tuple[Evidence, ...] = ()
    unchecked: tuple[str, ...] = ()
    packs: tuple[dict[str, str], ...] = field(default=())

    def to_dict(self) -> dict[str, object]:
        """Give the JSON shape; decimals become strings, so that no digit is lost."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
