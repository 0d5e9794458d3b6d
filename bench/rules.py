"""Precision and recall of every rule on the labelled sentences of tests/rules.

Owns: the counting and the written result. Must not know: how rules match. ``python -m bench.rules`` prints a table and
writes bench/results/rules.json; ``--misses`` lists what went wrong in the tuned part alone, so that the held-out part
stays unseen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kandong.rules.examples import found_rule_ids
from kandong.rules.packs import load_rules
from kandong.tasks.moderate import judge_readings

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "tests" / "rules" / "sentences.jsonl"
RESULT = ROOT / "bench" / "results" / "rules.json"
UNSEEN = ROOT / "tests" / "rules" / "unseen.jsonl"
PARTS = ("tuned", "held_out", "all")


@dataclass(frozen=True)
class Sentence:
    """One labelled sentence; rules in ``may`` count neither for nor against."""

    text: str
    kind: str
    rules: frozenset[str]
    may: frozenset[str]

    @property
    def part(self) -> str:
        """``held_out`` for about a third, chosen by the text's own digest."""
        return "held_out" if hashlib.sha256(self.text.encode()).digest()[0] % 3 == 0 else "tuned"


@dataclass
class Counts:
    """Right, wrong and missed finds of one rule."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, other: Counts) -> None:
        """Add another rule's counts."""
        self.right += other.right
        self.wrong += other.wrong
        self.missed += other.missed

    @property
    def precision(self) -> float | None:
        """Right among the found; ``None`` if nothing was found."""
        found = self.right + self.wrong
        return self.right / found if found else None

    @property
    def recall(self) -> float | None:
        """Found among those there; ``None`` if there are none."""
        there = self.right + self.missed
        return self.right / there if there else None


@dataclass
class Outcome:
    """Counts by rule for one part of the sentences, and the sentences that went wrong."""

    by_rule: dict[str, Counts] = field(default_factory=dict)
    num_sentences: int = 0
    num_innocent: int = 0
    num_innocent_flagged: int = 0
    num_by_kind: Counter[str] = field(default_factory=Counter)
    num_whole_by_kind: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    @property
    def total(self) -> Counts:
        """The sum over the rules."""
        total = Counts()
        for counts in self.by_rule.values():
            total.add(counts)
        return total


def read_sentences(path: Path = SENTENCES) -> list[Sentence]:
    """Read the labelled sentences."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Sentence(row["text"], row["kind"], frozenset(row["rules"]), frozenset(row.get("may", ()))) for row in rows]


def judge_text(text: str) -> frozenset[str]:
    """Judge a sentence as a post without pictures; gives the rules found."""
    return found_rule_ids(judge_readings(text, [], load_rules()))


def measure(sentences: Iterable[Sentence], finder: Callable[[str], frozenset[str]] = judge_text) -> Outcome:
    """Count right, wrong and missed rules over sentences."""
    outcome = Outcome()
    for sentence in sentences:
        found = finder(sentence.text)
        right, wrong, missed = found & sentence.rules, found - sentence.rules - sentence.may, sentence.rules - found
        for rules, name in ((right, "right"), (wrong, "wrong"), (missed, "missed")):
            for rule in rules:
                counts = outcome.by_rule.setdefault(rule, Counts())
                setattr(counts, name, getattr(counts, name) + 1)
        outcome.num_sentences += 1
        outcome.num_by_kind[sentence.kind] += 1
        outcome.num_whole_by_kind[sentence.kind] += not wrong and not missed
        if not sentence.rules:
            outcome.num_innocent += 1
            outcome.num_innocent_flagged += bool(wrong)
        if wrong or missed:
            outcome.misses.append(f"wrong {sorted(wrong)} missed {sorted(missed)}: {sentence.text}")
    return outcome


def describe(outcome: Outcome, part: str) -> dict[str, object]:
    """Give one part's result as JSON."""
    total = outcome.total
    return {
        "part": part,
        "num_sentences": outcome.num_sentences,
        "num_innocent": outcome.num_innocent,
        "num_innocent_flagged": outcome.num_innocent_flagged,
        "precision": _rounded(total.precision),
        "recall": _rounded(total.recall),
        "whole_by_kind": {
            kind: [outcome.num_whole_by_kind[kind], count] for kind, count in sorted(outcome.num_by_kind.items())
        },
        "rules": [
            {
                "rule": rule,
                "precision": _rounded(counts.precision),
                "recall": _rounded(counts.recall),
                "n": counts.right + counts.missed,
            }
            for rule, counts in sorted(outcome.by_rule.items())
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def run() -> dict[str, object]:
    """Measure both parts, the whole, and the sentences that the packs have never seen."""
    sentences = read_sentences()
    book = load_rules()
    parts = {part: measure(s for s in sentences if part in ("all", s.part)) for part in PARTS}
    parts["unseen"] = measure(read_sentences(UNSEEN))
    described = [describe(outcome, part) for part, outcome in parts.items()]
    return {
        "command": "python -m bench.rules",
        "rules_version": book.version,
        "rules": described[PARTS.index("all")]["rules"],
        "parts": described,
    }


def main() -> None:
    """Print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true", help="list what went wrong in the tuned part, write nothing")
    if parser.parse_args().misses:
        tuned = measure(s for s in read_sentences() if s.part == "tuned")
        print("\n".join(tuned.misses))
        print(f"precision {tuned.total.precision} recall {tuned.total.recall}")
        return
    result = run()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    parts = result["parts"]
    assert isinstance(parts, list)
    for part in parts:
        line = f"{part['part']:9} {part['num_sentences']} sentences"
        print(f"{line}  precision {part['precision']}  recall {part['recall']}")
        if part["part"] == "all":
            for row in part["rules"]:
                print(f"  {row['rule']:8} precision {row['precision']}  recall {row['recall']}  n {row['n']}")


if __name__ == "__main__":
    main()
