"""From the raw measurements of the workloads to medians, ratios, bars, and their part of docs/benchmarks.md.

Owns: what is compared with what, and the bars. Must not know: how anything was measured.

A ratio of two peers is that of their medians: they ran one after the other, as two models do not fit in memory with
all their caches. A gain within one peer is the median over its rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.home import ROOT

RESULTS = ROOT / "bench" / "results" / "workloads.json"
OURS = "kandong"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """Something measured in each round of a workload."""

    workload: str
    field: str
    title: str
    unit: str


FIGURES = (
    Figure("follow_up", "first_ms", "first question about a picture: first token", "ms"),
    Figure("follow_up", "second_ms", "second question: first token", "ms"),
    Figure("follow_up", "third_ms", "third question: first token", "ms"),
    Figure("moved_picture", "other_system_ms", "same picture, other system message: first token", "ms"),
    Figure("moved_picture", "other_order_ms", "same picture between two others: first token", "ms"),
    Figure("moved_picture", "restart_ms", "same picture after a restart: first token", "ms"),
    Figure("warm_up", "warm_ms", "warming an uploaded picture", "ms"),
    Figure("warm_up", "after_ms", "question after warming: first token", "ms"),
    Figure("warm_up", "half_way_ms", "question half-way: first token", "ms"),
    Figure("crowd", "alone_tokens_per_s", "one conversation", "tokens/s"),
    Figure("crowd", "together_tokens_per_s", "eight at once, together", "tokens/s"),
    Figure("crowd", "gain", "eight at once ÷ one", "×"),
    Figure("pauses", "median_gap_ms", "a picture comes in: middle pause of a running answer", "ms"),
    Figure("pauses", "longest_gap_ms", "a picture comes in: longest pause of a running answer", "ms"),
    Figure("copying", "plain_tokens_per_s", "copying a transcript", "tokens/s"),
    Figure("copying", "drafted_tokens_per_s", "copying it, given as a draft source", "tokens/s"),
    Figure("copying", "speedup", "copying, drafted ÷ plain", "×"),
    Figure("form", "free_ms", "JSON of twelve fields, no form: after the first token", "ms"),
    Figure("form", "plain_ms", "the same with a form", "ms"),
    Figure("form", "drafted_ms", "the same with a form and drafts", "ms"),
    Figure("form", "plain_tokens_per_step", "tokens a step with a form", "×"),
    Figure("form", "drafted_tokens_per_step", "tokens a step with a form and drafts", "×"),
)


def values(result: Result, workload: str, field: str, who: str = OURS) -> list[Any]:
    """Give what was measured, round by round; nothing where it was not."""
    return [m[field] for m in result["workloads"].get(workload, {}).get(who, []) if m.get(field) is not None]


def median(result: Result, workload: str, field: str, who: str = OURS) -> float | None:
    """Give the middle value, None where nothing was measured."""
    found = values(result, workload, field, who)
    return statistics.median(found) if found else None


@dataclass(frozen=True)
class Bar:
    """A bar and what was measured against it; ``measured`` is None where it was not."""

    title: str
    limit: float
    measured: float | None
    unit: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Give ``pass``, ``FAIL`` or ``not measured``."""
        if self.measured is None:
            return "not measured"
        is_met = self.measured >= self.limit if self.at_least else self.measured <= self.limit
        return "pass" if is_met else "FAIL"

    @property
    def text(self) -> str:
        """Write the bar itself."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:.3g}{self.unit}"

    @property
    def measured_text(self) -> str:
        """Write what was measured."""
        return "–" if self.measured is None else f"{self.measured:,.3g}{self.unit}"


def bars(result: Result) -> list[Bar]:
    """Compare with the bars that the engine was built for."""
    listed = []
    for name in ("second", "third"):
        ours, genai = (median(result, "follow_up", f"{name}_ms", who) for who in (OURS, "genai"))
        seconds = ours / 1e3 if ours is not None else None
        listed.append(Bar(f"{name} question about a picture, first token", 0.35, seconds, " s"))
        ratio = ours / genai if ours is not None and genai else None
        listed.append(Bar(f"{name} question, first token ÷ OpenVINO GenAI", 1 / 15, ratio, "×"))
    for name, title in (
        ("other_system", "under another system message"),
        ("other_order", "among others"),
        ("restart", "after a restart"),
    ):
        stages = values(result, "moved_picture", f"{name}_num_stages")
        listed.append(Bar(f"stages of the tower for a known picture {title}", 0, max(stages) if stages else None))
    listed.append(Bar("eight at once ÷ one alone", 4, median(result, "crowd", "gain"), "×", at_least=True))
    gaps = values(result, "pauses", "longest_gap_ms")
    listed.append(Bar("longest pause while a picture comes in", 0.7, max(gaps) / 1e3 if gaps else None, " s"))
    listed.append(Bar("copying, drafted ÷ plain", 4, median(result, "copying", "speedup"), "×", at_least=True))
    for name, title in (("plain", "form"), ("drafted", "form and drafts")):
        steps = median(result, "form", f"{name}_tokens_per_step")
        listed.append(Bar(f"tokens a step, {title}", 1.5, steps, at_least=True))
    warm, after, half = (median(result, "warm_up", f"{name}_ms") for name in ("warm", "after", "half_way"))
    listed.append(Bar("question after warming, first token", 0.35, after / 1e3 if after is not None else None, " s"))
    is_known = warm is not None and after is not None and half is not None
    share = half / (warm + after) if is_known and warm and after and half else None
    listed.append(Bar("question half-way ÷ all the work", 0.75, share, "×"))
    return listed


def sameness(result: Result) -> Iterator[str]:
    """Say how many answers were the same batched, cached and drafted as alone, and how near the others were."""
    for found in result["workloads"].get("sameness", {}).get(OURS, []):
        ways = ", ".join(f"{way} {found[f'num_same_{way}']}" for way in ("batched", "cached", "drafted"))
        gaps = found["gaps"]
        difference = (
            f"at the first difference the tokens were {statistics.median(gaps):.3f} (at most {max(gaps):.3f}) apart in "
            "log-probability"
            if gaps
            else "no answer differed"
        )
        yield (
            f"{result['about'].get(OURS, '')}: of {found['num_prompts']} answers of {found['num_tokens']} tokens, the "
            f"same as alone: {ways}; {difference}"
        )


def _amount(figure: Figure, value: float) -> str:
    if figure.unit == "ms":
        return f"{value:,.0f} ms" if value < 1000 else f"{value / 1e3:.1f} s"
    return f"{value:.1f}/s" if figure.unit == "tokens/s" else f"{value:.2f}"


def _cell(result: Result, figure: Figure, who: str) -> str:
    found = values(result, figure.workload, figure.field, who)
    if not found:
        return "–"
    spread = f" [{_amount(figure, min(found))}–{_amount(figure, max(found))}]" if len(found) > 1 else ""
    return _amount(figure, statistics.median(found)) + spread


def missing(result: Result) -> Iterator[str]:
    """Say who is not in the table, and why as far as it is known; and who was measured in fewer rounds."""
    yield from result["skipped"].values()
    here, num_rounds = _peers(result), result["sizes"]["num_rounds"]
    for key, title in result["titles"].items():
        if key not in here and key not in result["skipped"]:
            yield f"{title}: the run ended before it was measured"
        counts = [len(found[key]) for name, found in result["workloads"].items() if key in found]
        if key != OURS and counts and min(counts) < num_rounds:
            yield f"{title}: the run ended before all {num_rounds} rounds, some have {min(counts)}"


def _peers(result: Result) -> list[str]:
    return [key for key in result["titles"] if any(key in found for found in result["workloads"].values())]


def print_report(result: Result, out: Callable[[str], None] = print) -> None:
    """Write medians with their spread, bars and what is missing as lines of text."""
    for figure in FIGURES:
        if figure.workload in result["workloads"]:
            out(figure.title)
            for key in _peers(result):
                if (cell := _cell(result, figure, key)) != "–":
                    out(f"  {result['titles'][key]:24} {cell}")
    for line in sameness(result):
        out(line)
    for bar in bars(result):
        out(f"{bar.verdict:12} {bar.title}: {bar.measured_text} (bar: {bar.text})")
    for line in missing(result):
        out(line)


def markdown(result: Result) -> str:
    """Write the second part of the page docs/benchmarks.md."""
    return "\n".join([*_head(result), *_table(result), *_bar_table(result), *_notes(result)]) + "\n"


def _head(result: Result) -> Iterator[str]:
    machine, sizes = result["machine"], result["sizes"]
    yield "## Workloads: what caching, batching, drafting and forms give\n"
    yield (
        "Int8, random weights of the 2B shapes, greedy; one peer after the other in one run. Median [smallest–largest] "
        f"of {sizes['num_rounds']} rounds.\n"
    )
    yield f"- date: {result['date']}, {result['minutes']:g} minutes"
    yield f"- hardware: {machine['num_cpus']} cores of {machine['cpu']}, {', '.join(machine['extensions'])}"
    yield f"- versions: {', '.join(f'{name} {version}' for name, version in result['versions'].items())}"
    yield f"- command: `{result['command']}` (peers: `python -m bench.setup_peers all`)\n"


def _table(result: Result) -> Iterator[str]:
    keys = _peers(result)
    yield f"| | {' | '.join(result['titles'][key] for key in keys)} |\n|---|{'---|' * len(keys)}"
    for figure in FIGURES:
        if figure.workload in result["workloads"]:
            yield f"| {figure.title} | {' | '.join(_cell(result, figure, key) for key in keys)} |"
    peaks = (result.get("peak_bytes", {}).get(key) for key in keys)
    yield f"| peak memory | {' | '.join('–' if peak is None else f'{peak / 2**30:.1f} GiB' for peak in peaks)} |\n"


def _bar_table(result: Result) -> Iterator[str]:
    yield "| what | bar | measured | |\n|---|---|---|---|"
    for bar in bars(result):
        yield f"| {bar.title} | {bar.text} | {bar.measured_text} | {bar.verdict} |"
    yield ""


def _notes(result: Result) -> Iterator[str]:
    sizes = result["sizes"]
    side = f"{sizes['side_px']}×{sizes['side_px']}"
    yield f"- Pictures of noise, {side}; the two others {sizes['other_side_px']}×{sizes['other_side_px']}."
    yield "  A chat has a system message and answers of 16 tokens. first token: from the question on."
    yield "- Random weights cannot copy a text. For copying, forms and pauses the answer is planted (bench/planted.py):"
    yield "  the real graph runs over every token, drafted ones too, then the planted token's logit is raised."
    yield f"  The transcript has {sizes['num_transcript_characters']} Chinese characters; the JSON repeats parts of it."
    yield "- OpenVINO GenAI's prompt lookup cannot be given such an answer from outside, so it is not compared."
    yield "- peak memory: largest resident size of the process over all its workloads, mapped files included; Kandong's"
    yield "  holds features and keys and values of all pictures and prompts before (prefix cache of 768 MiB)."
    yield "- transformers keeps nothing between two calls of generate: only eight at once, as a batch, is asked of it."
    yield "- The longest pause is the largest of all rounds. OpenVINO GenAI runs the tower inside add_request, and no"
    yield "  other answer goes on meanwhile; llama.cpp's library leaves that to its caller."
    for line in sameness(result):
        yield f"- {line}."
    for key, about in result["about"].items():
        yield f"- {result['titles'].get(key, key)}: {about}."
    for line in missing(result):
        yield f"- {line}."
