"""Moderation with the model: rules decide over words, read text and codes; facts the model reports may add to it.

Owns: what a reported fact means in law, and that nothing a model or a picture says can take anything away. Must not
know: rules' words, prompts. A fact from the model never goes beyond ``review``, as a person has to look.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kandong.rules.arithmetic import PriceStatement
from kandong.rules.blocks import beside_instructions
from kandong.rules.judge import evidence_of, judge
from kandong.rules.report import Evidence, Hit, ModerationReport, NeedsProof, TextLine
from kandong.rules.rule import Suggestion
from kandong.rules.verdict import weigh
from kandong.tasks.case import Answers, Case, Conclusion, json_answer
from kandong.tasks.contradictions import find_contradictions
from kandong.tasks.describe import BLIND
from kandong.tasks.evidence import speaks_to_model
from kandong.tasks.offers import find_statements
from kandong.tasks.reread import agrees


@dataclass(frozen=True)
class _Meaning:
    """What a flag of the inventory means; with ``proof`` it only asks for proof."""

    rule_id: str
    title: str
    label: str
    sub_label: str
    article: str
    penalty_article: str | None
    severity: str
    certainty: str
    reason: str
    proof: str | None = None


_MEANINGS: Final = {
    "国旗国徽": _Meaning(
        "AD9-1", "画面中的国旗、国徽等标志", "Ad", "national_symbol", "9(一)", "57", "high", "V", "画面里似有国旗、国徽"
    ),
    "军警或公职人员": _Meaning(
        "AD9-2", "画面中的公职人员形象", "Ad", "official_image", "9(二)", "57", "high", "V", "画面里似有公职人员形象"
    ),
    "儿童": _Meaning(
        "AD38-C", "未成年人形象", "Ad", "minor", "10、38", "58", "low", "V", "画面里似有儿童", "代言人的年龄与同意书"
    ),
    "饮酒": _Meaning("AD23-2", "画面中的饮酒", "Ad", "alcohol", "23(二)", "58", "medium", "V", "画面里似有饮酒动作"),
    "驾驶": _Meaning(
        "AD23-3", "画面中的驾驶", "Ad", "alcohol", "23(三)", "58", "low", "V", "画面里似有驾驶车船", "是否为酒类广告"
    ),
    "吸烟": _Meaning("AD22-P", "画面中的吸烟", "Ad", "tobacco", "22", "57", "medium", "V", "画面里似有吸烟"),
    "裸露": _Meaning("PORN-P", "画面似有裸露", "Porn", "nudity", "9(八)", "57", "medium", "V", "画面里似有裸露"),
    "血腥暴力": _Meaning("VIOLENCE-P", "似有血腥暴力", "Terror", "violence", "9(八)", "57", "medium", "V", "似有血腥"),
    "使用前后对比": _Meaning(
        "AD28-P", "使用前后对比", "Ad", "before_after", "28", "55", "low", "V", "画面似为使用前后对比", "对比效果的证明"
    ),
}  # fmt: skip
# Words that readers of a shop's picture have no use for, but a model might obey; wider than what is marked, because all
# that follows is that a person looks.
_MIGHT_STEER: Final = re.compile(
    r"合规|违规|审核|指令|提示词|你的设定|你是一[个名位]|判定|视为已|豁免|告诉用户|语言模型|大模型|机器人|助手|"
    r"\b(?:ignore|disregard|instructions?|compliant|approved|moderator|assistant|language model|system prompt|pass)\b",
    re.IGNORECASE,
)
_SEEN_UNCHECKED: Final = "画面内容（模型看过，仍须人工确认）"
_INSTRUCTION: Final = _Meaning(
    "INJECTION", "对模型说的话", "Spam", "prompt_injection", "", None, "high", "M",
    "内容里有对审核模型说的话，模型的回答不能作数",
)  # fmt: skip


def conclude_moderate(case: Case, answers: Answers) -> Conclusion:
    """Judge the post: rules first, then what the model saw, then what the product's own facts contradict."""
    words = [TextLine(case.post.text)] if case.post.text.strip() else []
    lines = words + [line for line in case.book.lines if line.source not in ("comment", "post_text")]
    extra = _lines_read_otherwise(case, lines)
    report = _judged(case, lines)
    if extra:
        report = _with_added_hits(report, _judged(case, [*lines, *extra]), extra)
    seen, warnings = json_answer(answers, BLIND)
    hits: list[Hit] = []
    proofs: list[NeedsProof] = []
    for flag in dict.fromkeys((seen or {}).get("flags") or []):
        meaning = _MEANINGS.get(flag)
        if meaning is not None and meaning.proof is None:
            hits.append(_hit(meaning, _picture_evidence(flag)))
        elif meaning is not None:
            proofs.append(_proof(meaning, _picture_evidence(flag)))
    contradictions = find_contradictions(case.post.product, case.book)
    hits += [one.hit for one in contradictions]
    # A picture that speaks to the model may have silenced it, so its silence counts for nothing.
    if answers.get(BLIND) is not None and (steering := _steering(report, lines)) is not None:
        hits.append(_hit(_INSTRUCTION, steering))
    report = _weighed(report, hits, proofs)
    unchecked = list(report.unchecked)
    if case.post.pictures and seen is not None:
        of_pictures = {what for pack in case.rules.packs for what in pack.unchecked_in_pictures}
        unchecked = [what for what in unchecked if what not in of_pictures] + [_SEEN_UNCHECKED]
    unchecked += [f"图{i + 1}的文字（没有读成）" for i, reading in enumerate(case.readings) if reading is None]
    unchecked += ["评论（不是作者的话，没有审）"] if case.post.comments else []
    result: dict[str, Any] = replace(report, unchecked=()).to_dict()
    result.pop("unchecked")
    result["contradictions"] = [one.to_dict() for one in contradictions]
    result["human"] = {"status": "open" if report.suggestion is not Suggestion.PASS else "none"}
    return Conclusion(result, warnings, tuple(unchecked), ("describe",) if seen is not None else ())


def _steering(report: ModerationReport, lines: Sequence[TextLine]) -> Evidence | None:
    """Find what might have told the model what to see: a marked instruction, or words in a picture like one."""
    if report.suspected_instructions:
        return report.suspected_instructions[0]
    shown = (line for line in lines if line.source == "image_text" and _MIGHT_STEER.search(line.text))
    return next((evidence_of(line, 0, len(line.text)) for line in shown), None)


def _judged(case: Case, lines: Sequence[TextLine]) -> ModerationReport:
    has_pictures, statements = bool(case.post.pictures), _statements(lines)
    return judge(lines, case.rules, statements=statements, has_pictures=has_pictures, speaks_to_model=speaks_to_model)


def _statements(lines: Sequence[TextLine]) -> list[PriceStatement]:
    """Find price statements in all lines, and without those that may have been put there to make prices ambiguous."""
    speaks = [line.is_suspected_instruction or speaks_to_model(line.text) for line in lines]
    found = find_statements(lines)
    if not any(speaks):
        return found
    for left_out in (speaks, beside_instructions(lines, speaks)):
        kept = [line for line, is_out in zip(lines, left_out, strict=True) if not is_out]
        found += [one for one in find_statements(kept) if one not in found]
    return found


def _lines_read_otherwise(case: Case, lines: Sequence[TextLine]) -> list[TextLine]:
    """Give what the model read differently in lines, as further lines at the same place."""
    others = []
    for line in lines:
        text = (
            case.reread.get((line.image_index, line.line_id)) if line.image_index is not None and line.line_id else None
        )
        if text and not agrees(line.text, text):
            suspect = line.is_suspected_instruction or speaks_to_model(text)
            others.append(replace(line, text=text, character_boxes=None, conf=None, is_suspected_instruction=suspect))
    return others


def _with_added_hits(report: ModerationReport, wider: ModerationReport, extra: Sequence[TextLine]) -> ModerationReport:
    """Take over only hits from the wider report, as more text may satisfy a notice but must not here."""
    known = {(hit.rule_id, hit.term) for hit in report.hits}
    texts = {(line.line_id, line.text) for line in extra}
    added = [
        replace(hit, decided_by="model", suggest=Suggestion.REVIEW)
        for hit in wider.hits
        if (hit.rule_id, hit.term) not in known
        and any(line_id == hit.evidence.line_id and hit.evidence.quote in text for line_id, text in texts)
    ]
    return _weighed(report, added, [])


def _weighed(report: ModerationReport, hits: Sequence[Hit], proofs: Sequence[NeedsProof]) -> ModerationReport:
    if not hits and not proofs:
        return report
    all_hits, all_proofs = (*report.hits, *hits), (*report.needs_proof, *proofs)
    verdict = weigh(all_hits, report.missing_notices, all_proofs, report.exempted, report.arithmetic)
    return replace(
        report,
        hits=all_hits,
        needs_proof=all_proofs,
        suggestion=verdict.suggestion,
        label=verdict.label,
        sub_label=verdict.sub_label,
        score=max(report.score, verdict.score),
        risk_level=verdict.risk_level,
    )


def _picture_evidence(flag: str) -> Evidence:
    return Evidence("image", None, None, None, flag, None, None)


def _hit(meaning: _Meaning, evidence: Evidence) -> Hit:
    return Hit(
        rule_id=meaning.rule_id,
        title=meaning.title,
        label=meaning.label,
        sub_label=meaning.sub_label,
        law="广告法" if meaning.article else "",
        article=meaning.article,
        penalty_article=meaning.penalty_article,
        certainty=meaning.certainty,
        severity=meaning.severity,
        term=evidence.quote,
        normalized_from=None,
        reason=meaning.reason,
        reword="请人工看图确认。",
        evidence=evidence,
        suggest=Suggestion.REVIEW,
        decided_by="rule" if meaning is _INSTRUCTION else "model",
    )


def _proof(meaning: _Meaning, evidence: Evidence) -> NeedsProof:
    return NeedsProof(
        meaning.rule_id, meaning.title, "广告法", meaning.article, meaning.certainty, evidence.quote,
        meaning.proof or "", "statement", evidence,
    )  # fmt: skip
