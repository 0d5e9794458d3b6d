"""How a report of moderation looks on a terminal.

Owns: the rows. Must not know: commands, how reports are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kandong.rules.report import Evidence, Hit, ModerationReport

_MAX_QUOTE_CHARACTERS = 60


def verdict_rows(report: ModerationReport, *, is_brief: bool = False) -> list[str]:
    """Describe a report for a person, one finding a row; ``is_brief`` leaves out what is not checked."""
    label = report.label + (f"/{report.sub_label}" if report.sub_label else "")
    ad = f"advertises ({', '.join(report.is_ad.signals)})" if report.is_ad.value else "no advertisement"
    rows = [f"{report.suggestion}  {label}  score {report.score}  risk {report.risk_level}  {ad}"]
    for hit in report.hits:
        rows += _hit_rows(hit)
    rows += [
        f"  missing  {one.rule_id}  {'、'.join(one.missing)}, because of {_quote(one.evidence)}: {one.required}"
        for one in report.missing_notices
    ]
    rows += [f"  proof  {one.rule_id}  {_quote(one.evidence)}: {one.proof}" for one in report.needs_proof]
    rows += [
        f"  sum  {one.rule_id}  {_quote(one.evidence)}: {one.formula} = {one.computed}, not {one.claimed}"
        for one in report.arithmetic
    ]
    rows += [
        f"  exempt  {one.rule_id}  {_quote(one.evidence)}: {one.basis} [{one.certainty}]" for one in report.exempted
    ]
    rows += [
        f"  note  reads like an instruction to a model, so it excuses nothing: {_quote(evidence)}"
        for evidence in report.suspected_instructions
    ]
    return rows if is_brief else rows + [f"  unchecked  {what}" for what in report.unchecked]


def _hit_rows(hit: Hit) -> list[str]:
    meant = f" (meant: {hit.term})" if hit.normalized_from else ""
    penalty = f", penalty {hit.penalty_article}" if hit.penalty_article else ""
    return [
        f"  {hit.suggest}  {hit.rule_id}  {_quote(hit.evidence)}{meant} at {_place(hit.evidence)}: {hit.reason}",
        f"          {hit.law} {hit.article}{penalty} [{hit.certainty}]; {hit.reword}",
    ]


def _quote(evidence: Evidence) -> str:
    return f"「{evidence.quote[:_MAX_QUOTE_CHARACTERS]}」"


def _place(evidence: Evidence) -> str:
    span = "" if evidence.span is None else "-".join(map(str, evidence.span))
    begin = f"{evidence.line_id} {span}" if evidence.line_id else span
    return ", ".join([begin, *(f"{place.line_id} {place.span[0]}-{place.span[1]}" for place in evidence.continued)])
