"""The examples that every rule carries, run against it.

Owns: what an example shows. Must not know: who asks. An example is judged as a post without pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kandong.rules.judge import judge
from kandong.rules.report import ModerationReport, TextLine
from kandong.rules.rule import Rule, RuleBook


@dataclass(frozen=True)
class Example:
    """One example of a rule, and whether the rule does with it what its pack says."""

    rule_id: str
    text: str
    is_violating: bool
    is_found: bool

    @property
    def is_right(self) -> bool:
        """Tell whether a violating example is found, or an innocent one is not."""
        return self.is_violating == self.is_found


def found_rule_ids(report: ModerationReport) -> frozenset[str]:
    """List the rules that a report names: hits, missing notices, statements to be proved, arithmetic; none exempted."""
    ids = {hit.rule_id for hit in report.hits} | {missing.rule_id for missing in report.missing_notices}
    ids |= {proof.rule_id for proof in report.needs_proof if proof.because == "statement"}
    return frozenset(ids | {finding.rule_id for finding in report.arithmetic})


def run_examples(rules: RuleBook, only: Rule | None = None) -> Iterator[Example]:
    """Run the examples of all rules, or of one."""
    for rule in rules.rules if only is None else (only,):
        for texts, is_violating in ((rule.violating, True), (rule.innocent, False)):
            for text in texts:
                report = judge([TextLine(text)], rules)
                yield Example(rule.id, text, is_violating, rule.id in found_rule_ids(report))
