"""From findings to one suggestion, label and score.

Owns: the weights, in one place, so that they can be read and argued with. Must not know: how anything was found.

    block            a hit whose rule and words allow it      score 90-99   risk high
    review           any other hit                            score 60-89   risk medium
    review           only a missing notice or bad arithmetic  score 50-59   risk medium
    pass             only something to be proved              score 30-45   risk low
    pass             only exempted words                      score 10      risk low
    pass             nothing                                  score 0       risk none
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kandong.rules.report import ArithmeticFinding, Exempted, Hit, MissingNotice, NeedsProof
from kandong.rules.rule import Severity, Suggestion

_SEVERITIES = list(Severity)
NORMAL = "Normal"


@dataclass(frozen=True)
class Verdict:
    """What the findings come to."""

    suggestion: Suggestion
    label: str
    sub_label: str
    score: int
    risk_level: Literal["none", "low", "medium", "high"]


def weigh(
    hits: Sequence[Hit],
    missing: Sequence[MissingNotice],
    proofs: Sequence[NeedsProof],
    exempted: Sequence[Exempted],
    arithmetic: Sequence[ArithmeticFinding],
) -> Verdict:
    """Weigh all findings of a post; adding one never lowers suggestion or score."""
    if hits:
        worst = max(hits, key=lambda hit: (hit.suggest.rank, _severity(hit)))
        if worst.suggest is Suggestion.BLOCK:
            score = 90 + min(9, 3 * _severity(worst) + len(hits) - 1)
            return Verdict(Suggestion.BLOCK, worst.label, worst.sub_label, score, "high")
        num_others = len(hits) + len(missing) + len(arithmetic) - 1
        score = 60 + 10 * _severity(worst) + min(9, 2 * num_others)
        return Verdict(Suggestion.REVIEW, worst.label, worst.sub_label, score, "medium")
    score = 50 + min(9, 2 * (len(missing) + len(arithmetic) - 1))
    if missing:
        return Verdict(Suggestion.REVIEW, missing[0].label, missing[0].sub_label, score, "medium")
    if arithmetic:
        return Verdict(Suggestion.REVIEW, "Ad", "price_arithmetic", score, "medium")
    if proofs:
        return Verdict(Suggestion.PASS, NORMAL, "", min(45, 25 + 5 * len(proofs)), "low")
    return Verdict(Suggestion.PASS, NORMAL, "", 10 if exempted else 0, "low" if exempted else "none")


def _severity(hit: Hit) -> int:
    return _SEVERITIES.index(Severity(hit.severity))
