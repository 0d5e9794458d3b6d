"""What a rule is, once its pack has been read and checked.

Owns: the data of packs, with compiled patterns. Must not know: TOML, texts, verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kandong.rules.patterns import Pattern


class Suggestion(StrEnum):
    """What to do with a post; ordered by ``rank``."""

    PASS = "pass"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """0 for pass, 2 for block."""
        return list(Suggestion).index(self)


class Certainty(StrEnum):
    """How sure the legal basis is: read in the statute, told by a secondary source, or from memory."""

    VERIFIED = "V"
    SECONDARY = "S"
    MEMORY = "M"


class Severity(StrEnum):
    """How heavily the law weighs a breach; for the advertising law, by its penalty article."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Outcome(StrEnum):
    """What a match leads to: a hit, a check for what must be shown, or a request for proof."""

    HIT = "hit"
    NOTICE = "notice"
    PROOF = "proof"


@dataclass(frozen=True)
class Match:
    """One block of words of a rule.

    ``words`` are terms and regexes for the plain view, ``joined_words`` the terms alone, ``sounds`` terms compared by
    sound, with their spelling. ``sources`` limits the lines searched, if it names any. ``in_ads`` counts
    only in a post that advertises, ``needs`` must be found somewhere in the post, ``unless`` not in the same sentence.
    """

    words: Pattern | None
    joined_words: Pattern | None
    sounds: Pattern | None
    sounding_terms: dict[str, str]
    outcome: Outcome
    suggest: Suggestion
    reason: str
    in_ads: bool
    sources: tuple[str, ...]
    needs: Pattern | None
    unless: Pattern | None


@dataclass(frozen=True)
class Exemption:
    """A lawful use. ``scope`` is ``overlap`` (its words contain the hit) or ``sentence`` (they stand beside it)."""

    id: str
    title: str
    basis: str
    certainty: Certainty
    scope: str
    words: Pattern
    proof: str | None


@dataclass(frozen=True)
class Requirement:
    """One thing that must be shown, and words that show it."""

    name: str
    words: Pattern


@dataclass(frozen=True)
class Notice:
    """What must be shown, all of it, once a match of outcome ``notice`` is there."""

    text: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of a pack."""

    id: str
    title: str
    label: str
    sub_label: str
    law: str
    article: str
    penalty_article: str | None
    certainty: Certainty
    severity: Severity
    max_suggest: Suggestion
    ads_only: bool
    reword: str
    proof: str | None
    note: str | None
    matches: tuple[Match, ...]
    negatives: Pattern | None
    exemptions: tuple[Exemption, ...]
    notice: Notice | None
    violating: tuple[str, ...]
    innocent: tuple[str, ...]
    pack: str


@dataclass(frozen=True)
class Signal:
    """Words that show that a text advertises; ``weight`` 2 is enough alone."""

    id: str
    title: str
    weight: int
    words: Pattern


@dataclass(frozen=True)
class Pack:
    """A file of rules; ``digest`` is the SHA-256 of its bytes."""

    name: str
    title: str
    version: str
    digest: str
    rules: tuple[Rule, ...]
    signals: tuple[Signal, ...]
    unchecked_in_text: tuple[str, ...]
    unchecked_in_pictures: tuple[str, ...]


@dataclass(frozen=True)
class RuleBook:
    """All packs in use. ``version`` changes with any byte of any of them."""

    packs: tuple[Pack, ...]
    version: str

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of the packs."""
        return tuple(rule for pack in self.packs for rule in pack.rules)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every sign of advertising."""
        return tuple(signal for pack in self.packs for signal in pack.signals)

    def find(self, rule_id: str) -> Rule | None:
        """Give the rule of an id, whatever its case, or ``None``."""
        return next((rule for rule in self.rules if rule.id.lower() == rule_id.lower()), None)
