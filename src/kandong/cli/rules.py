"""``kandong rules``: what the rules are, whether they do what they say, and why a text is found.

Owns: the subcommands and how they print. Must not know: how rules match.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.cli.verdicts import verdict_rows
from kandong.errors import InputError, KandongError

if TYPE_CHECKING:
    from kandong.rules.rule import Rule

rules = typer.Typer(help="List, show, test and explain the rules of moderation.", no_args_is_help=True)

RuleId = Annotated[str, typer.Argument(metavar="RULE", help="Id of a rule, such as AD9-3.")]
_CERTAINTIES = {"V": "read in the statute", "S": "from a secondary source", "M": "from memory or custom"}


@rules.command("list")
def list_rules(packs: o.Packs = None, as_json: o.AsJson = False) -> None:
    """List every rule: id, certainty of its basis (V, S, M), most it suggests, law and title."""
    from kandong.rules.packs import load_rules

    book = load_rules(packs)
    if as_json:
        listed = [{"name": p.name, "title": p.title, "version": p.version, "digest": p.digest} for p in book.packs]
        write_json({"rules_version": book.version, "packs": listed, "rules": [_described(r) for r in book.rules]})
        return
    for pack in book.packs:
        if pack.rules:
            write_out(f"{pack.name} {pack.version}  {pack.title}\n")
        for rule in pack.rules:
            write_out(
                f"  {rule.id:9} {rule.certainty}  {rule.max_suggest:6}  {rule.title}  {rule.law} {rule.article}\n"
            )
    write_out(f"{len(book.rules)} rules, version {book.version}\n")


@rules.command()
def show(rule_id: RuleId, packs: o.Packs = None, as_json: o.AsJson = False) -> None:
    """Show one rule: its law, exemptions, what must be shown, wording to use instead, examples."""
    rule = _rule(rule_id, packs)
    if as_json:
        write_json(_described(rule))
        return
    penalty = f", penalty article {rule.penalty_article}" if rule.penalty_article else ""
    rows = [
        f"{rule.id}  {rule.title}",
        f"law        {rule.law} {rule.article}{penalty}",
        f"certainty  {rule.certainty}: {_CERTAINTIES[rule.certainty]}",
        f"suggests   at most {rule.max_suggest}; severity {rule.severity}; {rule.label}/{rule.sub_label}",
        *(f"finds      {match.reason}" for match in rule.matches),
        *(f"exempts    {e.title} ({e.basis}, {e.certainty})" for e in rule.exemptions),
        *([f"must show  {rule.notice.text}"] if rule.notice else []),
        *([f"proof      {rule.proof}"] if rule.proof else []),
        f"reword     {rule.reword}",
        *([f"note       {rule.note}"] if rule.note else []),
        *(f"found      {text}" for text in rule.violating),
        *(f"not found  {text}" for text in rule.innocent),
    ]
    write_out("\n".join(rows) + "\n")


@rules.command("test")
def run_rule_examples(
    rule_id: Annotated[str | None, typer.Argument(metavar="[RULE]", help="Only this rule.")] = None,
    packs: o.Packs = None,
    as_json: o.AsJson = False,
) -> None:
    """Run the examples that rules carry. Exit code 0 if each does what it says, 1 otherwise."""
    from kandong.rules.examples import run_examples
    from kandong.rules.packs import load_rules

    examples = list(run_examples(load_rules(packs), _rule(rule_id, packs) if rule_id else None))
    wrong = [example for example in examples if not example.is_right]
    if as_json:
        fields = [{"rule": e.rule_id, "text": e.text, "violating": e.is_violating, "found": e.is_found} for e in wrong]
        write_json({"num_examples": len(examples), "wrong": fields, "ok": not wrong})
    else:
        for example in wrong:
            fault = "is not found" if example.is_violating else "is found"
            write_out(f"{example.rule_id}: {fault}: {example.text}\n")
        write_out(f"{len(examples) - len(wrong)} of {len(examples)} examples are as their rules say.\n")
    if wrong:
        raise typer.Exit(KandongError.exit_code)


@rules.command()
def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A text to judge.")],
    packs: o.Packs = None,
    as_json: o.AsJson = False,
) -> None:
    """Judge a text and say why: how it is read, each hit with place and reason, each exemption, what is missing.

    The text is judged as the words of a post without pictures, as `kandong moderate --text` does.
    """
    from kandong.rules.normalise import NormalisedText, spell
    from kandong.rules.packs import load_rules
    from kandong.tasks.moderate import judge_readings

    report = judge_readings(text, [], load_rules(packs))
    views = NormalisedText(text)
    read_as = {"plain": views.plain.text, "joined": views.joined.text, "sounds": spell(views.sounds.text)}
    if as_json:
        write_json({"read_as": read_as, "report": report.to_dict()})
        return
    for name, value in read_as.items():
        write_out(f"{name:8} {value}\n")
    write_out("".join(f"{row}\n" for row in verdict_rows(report)))


def _rule(rule_id: str, packs: Path | None) -> Rule:
    from kandong.rules.packs import load_rules

    rule = load_rules(packs).find(rule_id)
    if rule is None:
        raise InputError(f"There is no rule {rule_id}.", hint="`kandong rules list` shows them.", field="rule")
    return rule


def _described(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "title": rule.title,
        "label": rule.label,
        "sub_label": rule.sub_label,
        "law": rule.law,
        "article": rule.article,
        "penalty_article": rule.penalty_article,
        "certainty": str(rule.certainty),
        "severity": str(rule.severity),
        "max_suggest": str(rule.max_suggest),
        "reasons": [match.reason for match in rule.matches],
        "exemptions": [
            {"id": e.id, "title": e.title, "basis": e.basis, "certainty": str(e.certainty)} for e in rule.exemptions
        ],
        "notice": rule.notice.text if rule.notice else None,
        "proof": rule.proof,
        "reword": rule.reword,
        "note": rule.note,
        "violating": list(rule.violating),
        "innocent": list(rule.innocent),
        "pack": rule.pack,
    }
