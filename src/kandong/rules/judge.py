"""The verdict on one post: lines of text in, a report with evidence out.

Owns: what follows from what is found. Must not know: pictures, models, files. More text never makes a verdict milder:
an exemption holds only for words of its own sentence, a notice shown in a picture only for what pictures say, and text
that speaks to a model neither exempts nor shows anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kandong.rules.arithmetic import PriceStatement, check_arithmetic
from kandong.rules.instructions import is_instruction
from kandong.rules.matcher import Found, SearchedText
from kandong.rules.report import (
    AdVerdict,
    Evidence,
    Exempted,
    Hit,
    MissingNotice,
    ModerationReport,
    NeedsProof,
    TextLine,
)
from kandong.rules.rule import Outcome, Requirement, Rule, RuleBook, Suggestion
from kandong.rules.verdict import Verdict, weigh

_ENOUGH_WEIGHT = 2
_OWN_WORDS = ("post_text",)


@dataclass
class _Findings:
    hits: list[Hit] = field(default_factory=list)
    exempted: list[Exempted] = field(default_factory=list)
    missing: list[MissingNotice] = field(default_factory=list)
    proofs: list[NeedsProof] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    line: TextLine
    searched: SearchedText
    is_instruction: bool


def judge(
    lines: Sequence[TextLine],
    rules: RuleBook,
    *,
    statements: Sequence[PriceStatement] = (),
    has_pictures: bool = False,
    speaks_to_model: Callable[[str], bool] = is_instruction,
) -> ModerationReport:
    """Judge one post.

    ``statements`` are the prices and promotions that the caller has read in the lines; their arithmetic is checked.
    ``speaks_to_model`` finds instructions in addition to the lines already marked.
    """
    searched = [
        _Line(line, SearchedText(line.text), line.is_suspected_instruction or speaks_to_model(line.text))
        for line in lines
        if line.text.strip()
    ]
    is_ad = _advertises(searched, rules)
    findings = _Findings()
    for rule in rules.rules:
        _apply(rule, searched, is_ad.value, findings)
    arithmetic = check_arithmetic(statements, rules.find("PRC19"))
    verdict: Verdict = weigh(findings.hits, findings.missing, findings.proofs, findings.exempted, arithmetic)
    unchecked = [what for pack in rules.packs for what in pack.unchecked_in_text]
    if has_pictures:
        unchecked += [what for pack in rules.packs for what in pack.unchecked_in_pictures]
    return ModerationReport(
        suggestion=verdict.suggestion,
        label=verdict.label,
        sub_label=verdict.sub_label,
        score=verdict.score,
        risk_level=verdict.risk_level,
        is_ad=is_ad,
        rules_version=rules.version,
        hits=tuple(findings.hits),
        exempted=tuple(findings.exempted),
        missing_notices=tuple(findings.missing),
        needs_proof=tuple(findings.proofs),
        arithmetic=arithmetic,
        suspected_instructions=tuple(
            evidence_of(one.line, 0, len(one.line.text)) for one in searched if one.is_instruction
        ),
        unchecked=tuple(unchecked),
        packs=tuple({"name": p.name, "version": p.version, "digest": p.digest} for p in rules.packs),
    )


def _advertises(lines: Sequence[_Line], rules: RuleBook) -> AdVerdict:
    present = [signal for signal in rules.signals if any(one.searched.has(signal.words) for one in lines)]
    is_ad = sum(signal.weight for signal in present) >= _ENOUGH_WEIGHT
    return AdVerdict(is_ad, tuple(signal.id for signal in present))


def _apply(rule: Rule, lines: Sequence[_Line], is_ad: bool, findings: _Findings) -> None:
    triggers: list[tuple[_Line, Found]] = []
    for one in lines:
        for found in one.searched.find(rule, in_ads=is_ad, source=one.line.source):
            if found.match.needs is not None and not any(other.searched.has(found.match.needs) for other in lines):
                continue
            if not one.is_instruction and _exempt(rule, one, found, findings):
                continue
            evidence = evidence_of(one.line, found.start, found.end)
            if found.match.outcome is Outcome.HIT:
                findings.hits.append(_hit(rule, found, evidence, is_ad))
            elif found.match.outcome is Outcome.PROOF:
                findings.proofs.append(_proof(rule, found.term, rule.proof or "", "statement", evidence))
            else:
                triggers.append((one, found))
    _check_notice(rule, triggers, lines, findings)


def _exempt(rule: Rule, one: _Line, found: Found, findings: _Findings) -> bool:
    for exemption in rule.exemptions:
        if one.searched.is_exempt(exemption, found):
            evidence = evidence_of(one.line, found.start, found.end)
            basis = f"{exemption.basis}：{exemption.title}"
            findings.exempted.append(
                Exempted(rule.id, found.term, exemption.id, basis, str(exemption.certainty), evidence)
            )
            if exemption.proof is not None:
                findings.proofs.append(_proof(rule, found.term, exemption.proof, "exemption", evidence))
            return True
    return False


def _check_notice(rule: Rule, triggers: list[tuple[_Line, Found]], lines: Sequence[_Line], findings: _Findings) -> None:
    """Report what is not shown, once for the post's own words and once for its pictures."""
    if rule.notice is None:
        return
    for is_own in (True, False):
        first = next(((o, f) for o, f in triggers if (o.line.source in _OWN_WORDS) is is_own), None)
        if first is None:
            continue
        one, found = first
        evidence = evidence_of(one.line, found.start, found.end)
        showing = [o for o in lines if not o.is_instruction and (o.line.source in _OWN_WORDS or not is_own)]
        missing = tuple(r.name for r in rule.notice.requirements if not _is_shown(r, showing))
        if missing:
            findings.missing.append(
                MissingNotice(
                    rule.id,
                    rule.title,
                    rule.label,
                    rule.sub_label,
                    rule.law,
                    rule.article,
                    str(rule.certainty),
                    rule.notice.text,
                    missing,
                    evidence,
                )
            )
        elif rule.proof is not None:
            findings.proofs.append(_proof(rule, found.term, rule.proof, "notice", evidence))


def _is_shown(requirement: Requirement, lines: Sequence[_Line]) -> bool:
    return any(one.searched.has(requirement.words) for one in lines)


def _hit(rule: Rule, found: Found, evidence: Evidence, is_ad: bool) -> Hit:
    suggest = found.match.suggest
    if rule.ads_only and not is_ad and suggest is Suggestion.BLOCK:
        suggest = Suggestion.REVIEW
    return Hit(
        rule_id=rule.id,
        title=rule.title,
        label=rule.label,
        sub_label=rule.sub_label,
        law=rule.law,
        article=rule.article,
        penalty_article=rule.penalty_article,
        certainty=str(rule.certainty),
        severity=str(rule.severity),
        term=found.term,
        normalized_from=found.quote if found.is_disguised else None,
        reason=found.match.reason,
        reword=rule.reword,
        evidence=evidence,
        suggest=suggest,
    )


def _proof(
    rule: Rule, term: str, proof: str, because: Literal["statement", "notice", "exemption"], evidence: Evidence
) -> NeedsProof:
    certainty = str(rule.certainty)
    return NeedsProof(rule.id, rule.title, rule.law, rule.article, certainty, term, proof, because, evidence)


def evidence_of(line: TextLine, start: int, end: int) -> Evidence:
    """Give a place of a line as evidence, with the box of its characters where they are known."""
    box = line.box
    if line.character_boxes is not None and len(line.character_boxes) == len(line.text):
        boxes = line.character_boxes[start:end]
        box = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
    quote = line.text[start:end]
    return Evidence(line.source, line.image_index, line.line_id, (start, end), quote, box, line.conf)
