"""The page of rules, written from the packs themselves.

Owns: docs/reference/rules.md. Must not know: how rules match.
"""

from __future__ import annotations

from kandong.rules.packs import bundled_rules
from kandong.rules.rule import Rule

_INTRODUCTION = """# Rules

Every rule that ships, from `src/kandong/rules/packs`. What the columns mean, and how sure the law is:
[rules.md](../rules.md).
`kandong rules show RULE` shows one with its examples.
"""


def rules_reference(banner: str) -> str:
    """List packs and rules with law, certainty, what they find, exemptions and better wording."""
    sections = [banner + _INTRODUCTION]
    for pack in bundled_rules().packs:
        if not pack.rules:
            continue
        sections.append(f"## {pack.title}\n\n`{pack.name}`, version {pack.version}\n")
        sections.append(
            "| rule | law, penalty | certainty | at most | finds | exempt or to be shown | instead |\n"
            "|---|---|---|---|---|---|---|\n" + "".join(map(_row, pack.rules))
        )
    return "\n".join(sections)


def _row(rule: Rule) -> str:
    penalty = f"；罚则 {rule.penalty_article}" if rule.penalty_article else ""
    exempt = [f"{e.title}（{e.basis}，{e.certainty}）" for e in rule.exemptions]
    exempt += [rule.notice.text] if rule.notice else []
    exempt += [f"须证明：{rule.proof}"] if rule.proof else []
    finds = list(dict.fromkeys(match.reason for match in rule.matches)) or [rule.note or ""]
    cells = (
        f"**{rule.id}** {rule.title}",
        f"{rule.law} {rule.article}{penalty}",
        str(rule.certainty),
        str(rule.max_suggest),
        "<br>".join(finds),
        "<br>".join(exempt),
        rule.reword,
    )
    return "| " + " | ".join(cells) + " |\n"
