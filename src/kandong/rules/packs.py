"""Reading rule packs: those that ship here, and a folder of the user's own.

Owns: the format, its checks, digests. Must not know: texts, verdicts. Whatever is wrong with a pack is a
``RulePackError`` that names pack, rule and field; a pack is used whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import get_args

from kandong.errors import RulePackError
from kandong.rules.fields import Table
from kandong.rules.normalise import NormalisedText, fold_text, sound_of
from kandong.rules.report import Source
from kandong.rules.rule import (
    Certainty,
    Exemption,
    Match,
    Notice,
    Outcome,
    Pack,
    Requirement,
    Rule,
    RuleBook,
    Severity,
    Signal,
    Suggestion,
)

BUNDLED = Path(__file__).resolve().parent / "packs"
ENVIRONMENT_VARIABLE = "KANDONG_RULES"
MAX_PACK_BYTES = 4 << 20
_MIN_JOINED_CHARACTERS = 2
_SCOPES = ("overlap", "sentence")


def load_rules(folder: str | os.PathLike[str] | None = None) -> RuleBook:
    """Read the bundled packs and those of ``folder``, or of ``$KANDONG_RULES`` if no folder is given.

    Errors: ``RulePackError`` for a folder that is none, a broken pack, or an id that two packs use.
    """
    chosen = folder if folder is not None else os.environ.get(ENVIRONMENT_VARIABLE) or None
    files = [*sorted(BUNDLED.glob("*.toml")), *(_files_of(Path(chosen)) if chosen is not None else [])]
    return _load(tuple((path.name, _read(path)) for path in files))


def bundled_rules() -> RuleBook:
    """Read the bundled packs alone, whatever the environment says."""
    return _load(tuple((path.name, _read(path)) for path in sorted(BUNDLED.glob("*.toml"))))


def parse_pack(name: str, data: bytes) -> Pack:
    """Read one pack. Errors: ``RulePackError``."""
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise RulePackError(f"{name} is not UTF-8 text.", hint="Save the pack as UTF-8.", field=name) from None
    except tomllib.TOMLDecodeError as error:
        raise RulePackError(f"{name} is not TOML: {error}.", hint="Check the line named.", field=name) from None
    table = Table(values, name)
    title, version = table.text("title"), table.text("version")
    pack = Pack(
        name=name.removesuffix(".toml"),
        title=title,
        version=version,
        digest=hashlib.sha256(data).hexdigest(),
        rules=tuple(_rule(one, name.removesuffix(".toml")) for one in table.tables("rule", "rule")),
        signals=tuple(_signal(one) for one in table.tables("signal", "signal")),
        unchecked_in_text=table.texts("unchecked_in_text"),
        unchecked_in_pictures=table.texts("unchecked_in_pictures"),
    )
    table.end()
    return pack


@lru_cache(maxsize=4)
def _load(sources: tuple[tuple[str, bytes], ...]) -> RuleBook:
    packs = tuple(parse_pack(name, data) for name, data in sources)
    owners: dict[str, str] = {}
    for pack in packs:
        for rule in pack.rules:
            if rule.id in owners:
                raise RulePackError(
                    f"Rule {rule.id} is in {owners[rule.id]} and in {pack.name}.",
                    hint="Give the rule of your own pack another id.",
                    field="id",
                )
            owners[rule.id] = pack.name
    total = hashlib.sha256("\n".join(f"{pack.name} {pack.digest}" for pack in packs).encode())
    return RuleBook(packs, total.hexdigest()[:16])


def _files_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RulePackError(
            f"The folder of rule packs {folder} is not there.",
            hint="Name a folder that holds .toml files, with --packs or KANDONG_RULES.",
            field="packs",
        )
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise RulePackError(
            f"The folder {folder} holds no rule pack.", hint="A pack is a file whose name ends in .toml.", field="packs"
        )
    return files


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PACK_BYTES:
            raise RulePackError(f"{path.name} is larger than 4 MiB.", hint="Divide the pack.", field=path.name)
        return path.read_bytes()
    except OSError:
        raise RulePackError(f"{path.name} cannot be read.", hint="Check its permissions.", field=path.name) from None


def _rule(table: Table, pack: str) -> Rule:
    rule_id = table.text("id")
    table.place = f"{pack}.toml, rule {rule_id}"
    certainty = table.choice("certainty", Certainty)
    max_suggest = table.choice("max_suggest", Suggestion)
    if certainty is not Certainty.VERIFIED and max_suggest is Suggestion.BLOCK:
        raise table.fault(
            "max_suggest", f"cannot be block: the basis is certain only to {certainty}, so at most review"
        )
    rule = Rule(
        id=rule_id,
        title=table.text("title"),
        label=table.text("label"),
        sub_label=table.text("sub_label"),
        law=table.text("law"),
        article=table.text("article"),
        penalty_article=table.optional_text("penalty_article"),
        certainty=certainty,
        severity=table.choice("severity", Severity),
        max_suggest=max_suggest,
        ads_only=table.flag("ads_only"),
        reword=table.text("reword"),
        proof=table.optional_text("proof"),
        note=table.optional_text("note"),
        matches=tuple(_match(one, max_suggest) for one in table.tables("match", "match")),
        negatives=table.pattern("not_in"),
        exemptions=tuple(_exemption(one) for one in table.tables("exempt", "exempt")),
        notice=_notice(table),
        violating=table.texts("violating"),
        innocent=table.texts("innocent"),
        pack=pack,
    )
    table.end()
    outcomes = {match.outcome for match in rule.matches}
    if Outcome.NOTICE in outcomes and rule.notice is None:
        raise table.fault("notice", "is missing, though a match asks for it")
    if Outcome.PROOF in outcomes and rule.proof is None:
        raise table.fault("proof", "is missing, though a match asks for it")
    return rule


def _match(table: Table, max_suggest: Suggestion) -> Match:
    terms = tuple(fold_text(term) for term in table.texts("terms"))
    sounds = {sound_of(term): term for term in table.texts("sounds")}
    joined = [
        text for text in (NormalisedText(term).joined.text for term in terms) if len(text) >= _MIN_JOINED_CHARACTERS
    ]
    suggest = table.choice("suggest", Suggestion, min(max_suggest, Suggestion.REVIEW, key=lambda s: s.rank))
    if suggest.rank > max_suggest.rank:
        raise table.fault("suggest", f"is above the rule's max_suggest, {max_suggest}")
    match = Match(
        words=table.compiled("regexes", terms, table.texts("regexes")),
        joined_words=table.compiled("terms", joined),
        sounds=table.compiled("sounds", list(sounds)),
        sounding_terms=sounds,
        outcome=table.choice("outcome", Outcome, Outcome.HIT),
        suggest=suggest,
        reason=table.text("reason"),
        in_ads=table.flag("in_ads"),
        sources=_sources(table),
        needs=table.pattern("needs"),
        unless=table.pattern("unless"),
    )
    table.end()
    if match.words is None and match.sounds is None:
        raise table.fault("terms", "is missing: a match needs terms, regexes or sounds")
    return match


def _sources(table: Table) -> tuple[str, ...]:
    sources = table.texts("sources")
    if not set(sources) <= set(get_args(Source)):
        raise table.fault("sources", f"must be among {', '.join(get_args(Source))}")
    return sources


def _exemption(table: Table) -> Exemption:
    scope = table.text("scope", "overlap")
    if scope not in _SCOPES:
        raise table.fault("scope", f"must be one of {', '.join(_SCOPES)}")
    words = table.pattern("words")
    if words is None:
        raise table.fault("words", "is missing")
    exemption = Exemption(
        id=table.text("id"),
        title=table.text("title"),
        basis=table.text("basis"),
        certainty=table.choice("certainty", Certainty),
        scope=scope,
        words=words,
        proof=table.optional_text("proof"),
    )
    table.end()
    return exemption


def _notice(rule: Table) -> Notice | None:
    if not rule.has("notice"):
        return None
    table = rule.table("notice")
    requirements = []
    for one in table.tables("require", "require"):
        words = one.pattern("words")
        if words is None:
            raise one.fault("words", "is missing")
        requirements.append(Requirement(one.text("name"), words))
        one.end()
    if not requirements:
        raise table.fault("require", "is missing")
    notice = Notice(table.text("text"), tuple(requirements))
    table.end()
    return notice


def _signal(table: Table) -> Signal:
    words = table.compiled("regexes", tuple(map(fold_text, table.texts("terms"))), table.texts("regexes"))
    if words is None:
        raise table.fault("terms", "is missing: a signal needs terms or regexes")
    signal = Signal(table.text("id"), table.text("title"), table.number("weight", 1), words)
    table.end()
    return signal
