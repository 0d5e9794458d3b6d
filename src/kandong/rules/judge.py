"""The verdict on one post: lines of text in, a report with evidence out.

Owns: what follows from what is found. Must not know: pictures, models, files. More text never makes a verdict milder:
an exemption holds only for words of its own sentence, a notice shown in a picture only for what pictures say, and text
that speaks to a model, or stands in one block with such text, neither exempts nor shows anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kandong.rules.arithmetic import PriceStatement, check_arithmetic
from kandong.rules.blocks import beside_instructions
from kandong.rules.instructions import is_instruction
from kandong.rules.line_breaks import JoinedLines, joined_lines, place_of
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
_MAX_BROKEN_HAN = 6


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
    may_excuse: bool
    joined: JoinedLines | None = None

    def find(self, rule: Rule, *, in_ads: bool) -> list[Found]:
        """Find a rule's words; in joined lines only words that a line's end breaks, as the others are known."""
        source = self.line.source
        found = self.searched.find(rule, in_ads=in_ads, source=source, is_trusted=self.has_context)
        return found if self.joined is None else [one for one in found if self._is_broken_word(rule, one)]

    @property
    def has_context(self) -> bool:
        """Whether words around a find may make it innocent: not in a picture's line that speaks to a model."""
        return not self.is_instruction or self.line.source != "image_text"

    def _is_broken_word(self, rule: Rule, found: Found) -> bool:
        """Tell a word broken by a line's end from the end of one clause and the begin of another.

        No disguise, no mark and not many characters lie between, and nothing innocent shares any of them.
        """
        if self.joined is None or not self.joined.crosses(found.start, found.end) or found.is_disguised:
            return False
        is_short = sum("\u3400" <= character <= "\u9fff" for character in found.quote) <= _MAX_BROKEN_HAN
        is_one_clause = not any(character in "，,、!！?？" for character in found.quote)
        is_innocent = self.has_context and rule.negatives is not None and self.searched.meets(rule.negatives, found)
        return is_short and is_one_clause and not is_innocent

    def is_seen(self, found: Found, seen: dict[int, list[tuple[int, int]]]) -> bool:
        """Tell whether a find over a line's end meets one of ``seen``; a find in one line is added to it instead."""
        if self.joined is None:
            seen.setdefault(id(self.line), []).append((found.start, found.end))
            return False
        return any(
            place.span[0] < end and start < place.span[1]
            for line, place in self.joined.parts(found.start, found.end)
            for start, end in seen.get(id(line), ())
        )

    def evidence_of(self, start: int, end: int) -> Evidence:
        """Give a place of the text as evidence."""
        return evidence_of(self.line, start, end) if self.joined is None else self.joined.evidence_of(start, end)


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
    searched = _searched([line for line in lines if line.text.strip()], speaks_to_model)
    is_ad = _advertises(searched, rules)
    joined = _joined(searched)
    findings = _Findings()
    for rule in rules.rules:
        _apply(rule, [*searched, *joined], is_ad.value, findings)
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


def _searched(lines: Sequence[TextLine], speaks_to_model: Callable[[str], bool]) -> list[_Line]:
    speaks = [line.is_suspected_instruction or speaks_to_model(line.text) for line in lines]
    is_beside = beside_instructions(lines, speaks)
    return [
        _Line(line, SearchedText(line.text), one, not beside)
        for line, one, beside in zip(lines, speaks, is_beside, strict=True)
    ]


def _joined(lines: Sequence[_Line]) -> list[_Line]:
    """Put lines together that go on in the next one; they speak to a model if any of them does."""
    suspected = {id(one.line) for one in lines if one.is_instruction}
    excusing = {id(one.line) for one in lines if one.may_excuse}
    return [
        _Line(
            TextLine(joined.text, joined.lines[0].source, joined.lines[0].image_index),
            SearchedText(joined.text),
            any(id(line) in suspected for line in joined.lines),
            all(id(line) in excusing for line in joined.lines),
            joined,
        )
        for joined in joined_lines([one.line for one in lines])
    ]


def _advertises(lines: Sequence[_Line], rules: RuleBook) -> AdVerdict:
    present = [signal for signal in rules.signals if any(one.searched.has(signal.words) for one in lines)]
    is_ad = sum(signal.weight for signal in present) >= _ENOUGH_WEIGHT
    return AdVerdict(is_ad, tuple(signal.id for signal in present))


def _apply(rule: Rule, lines: Sequence[_Line], is_ad: bool, findings: _Findings) -> None:
    triggers: list[tuple[_Line, Found]] = []
    seen: dict[int, list[tuple[int, int]]] = {}  # by line: what was found in it alone is not found again over its end
    for one in lines:
        for found in one.find(rule, in_ads=is_ad):
            if one.is_seen(found, seen):
                continue
            if found.match.needs is not None and not any(other.searched.has(found.match.needs) for other in lines):
                continue
            if one.may_excuse and _exempt(rule, one, found, findings):
                continue
            evidence = one.evidence_of(found.start, found.end)
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
            evidence = one.evidence_of(found.start, found.end)
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
        evidence = one.evidence_of(found.start, found.end)
        seen = _OWN_WORDS if is_own else (*_OWN_WORDS, "image_text")  # nobody sees what a code holds
        showing = [o for o in lines if o.may_excuse and o.line.source in seen]
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
    # That a line goes on in the next one is likely, not sure: a person decides.
    if suggest is Suggestion.BLOCK and ((rule.ads_only and not is_ad) or evidence.continued):
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
    place = place_of(line, start, end)
    return Evidence(line.source, line.image_index, line.line_id, (start, end), place.quote, place.box, line.conf)
