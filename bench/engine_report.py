"""From the raw times of a run to medians, ratios, checks, and the page docs/benchmarks.md.

Owns: what is compared with what, and the bars. Must not know: how anything was measured.

A ratio is Kandong's time divided by a peer's: the median over the ratios of neighbours, that is of answers about the
same picture in the same round of the same group, as neighbours share the machine's mood.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.home import ROOT
from bench.peers.catalogue import PEERS, REFERENCE

RESULTS = ROOT / "bench" / "results" / "engine.json"
Result = Mapping[str, Any]
_GIB = 2**30


@dataclass(frozen=True)
class Quantity:
    """Something measured of each answer."""

    field: str
    title: str


QUANTITIES = (
    Quantity("vision_ms", "vision"),
    Quantity("prefill_ms", "prefill"),
    Quantity("first_token_ms", "first token"),
    Quantity("token_ms", "one token"),
)
STARTS = (Quantity("ready_ms", "start, ready"), Quantity("first_answer_ms", "start to first answer"))


@dataclass(frozen=True)
class Cell:
    """What a peer needed, and how the reference compares: None for the reference itself."""

    values: tuple[float, ...]
    ratio: float | None

    @property
    def median(self) -> float:
        """Give the middle value."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Row:
    """One quantity with a cell for each peer that was measured."""

    title: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Check:
    """A bar and what was measured against it; ``measured`` is None where the peer is missing."""

    title: str
    limit: float
    measured: float | None
    unit: str = "×"

    @property
    def verdict(self) -> str:
        """Give ``pass``, ``FAIL`` or ``not measured``."""
        if self.measured is None:
            return "not measured"
        return "pass" if self.measured <= self.limit else "FAIL"


def rows(result: Result) -> list[Row]:
    """Give all quantities of answers by picture, then those of starts."""
    peers = result["peers"]
    sides = sorted({answer["side_px"] for peer in peers.values() for answer in peer["answers"]})
    listed = [
        Row(f"{quantity.title} {side}×{side}", _answer_cells(peers, quantity.field, side))
        for side in sides
        for quantity in QUANTITIES
    ]
    listed += [Row(quantity.title, _start_cells(peers, quantity.field)) for quantity in STARTS]
    return [row for row in listed if row.cells]


def _answer_cells(peers: Mapping[str, Any], field: str, side: int) -> dict[str, Cell]:
    places = {key: _by_place(peer["answers"], field, side) for key, peer in peers.items()}
    reference, cells = places.get(REFERENCE, {}), {}
    for key, values in places.items():
        if values:
            shared = [reference[place] / value for place, value in values.items() if place in reference]
            ratio = statistics.median(shared) if shared and key != REFERENCE else None
            cells[key] = Cell(tuple(values.values()), ratio)
    return cells


def _by_place(answers: list[dict[str, Any]], field: str, side: int) -> dict[tuple[int, int], float]:
    return {
        (answer["session"], answer["round"]): answer[field]
        for answer in answers
        if answer["side_px"] == side and answer[field] is not None
    }


def _start_cells(peers: Mapping[str, Any], field: str) -> dict[str, Cell]:
    values = {key: tuple(start[field] for start in peer["starts"]) for key, peer in peers.items() if peer["starts"]}
    reference = statistics.median(values[REFERENCE]) if REFERENCE in values else None
    return {
        key: Cell(times, None if key == REFERENCE or reference is None else reference / statistics.median(times))
        for key, times in values.items()
    }


def checks(result: Result) -> list[Check]:
    """Compare with the bars that the engine was built for."""
    table = {row.title: row.cells for row in rows(result)}

    def ratio(row: str, key: str) -> float | None:
        cell = table.get(row, {}).get(key)
        return cell.ratio if cell else None

    listed = []
    for title, limit in (("vision", 0.85), ("prefill", 0.8), ("one token", 0.95)):
        for side in ("512×512", "1024×1024"):
            row = f"{title} {side}"
            listed.append(Check(f"{row} ÷ OpenVINO GenAI", limit, ratio(row, "genai")))
    listed.append(Check("first token 1024×1024 ÷ llama.cpp", 0.3, ratio("first token 1024×1024", "llama.cpp")))
    listed.append(
        Check("first token 512×512 ÷ transformers f32", 0.15, ratio("first token 512×512", "transformers-f32"))
    )
    start = table.get("start, ready", {}).get(REFERENCE)
    listed.append(Check("second start, ready", 4.0, start.median / 1e3 if start else None, " s"))
    ours, genai = peak_gib(result, REFERENCE), peak_gib(result, "genai")
    listed.append(Check("peak memory", 4.0, ours, " GiB"))
    listed.append(Check("peak memory ÷ OpenVINO GenAI", 1.2, ours / genai if ours and genai else None))
    return listed


def peak_gib(result: Result, key: str) -> float | None:
    """Give the peak memory of a peer, None where it is not known."""
    peak = result["peers"].get(key, {}).get("peak_bytes")
    return peak / _GIB if peak else None


def _seconds(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1e3:.1f} s"


def _spread(cell: Cell) -> str:
    low, high = min(cell.values), max(cell.values)
    if high < 1000:
        return f"{low:,.0f}–{high:,.0f}"
    return f"{low / 1e3:.1f}–{high / 1e3:.1f}"


def _measured(check: Check) -> str:
    return "" if check.measured is None else f"{check.measured:.4g}{check.unit}"


def print_report(result: Result, out: Callable[[str], None] = print) -> None:
    """Write medians with their spread, ratios and checks as lines of text."""
    peers = result["peers"]
    for row in rows(result):
        out(row.title)
        for key, cell in row.cells.items():
            ratio = "" if cell.ratio is None else f"  Kandong is at {cell.ratio:.2f}"
            out(f"  {peers[key]['title']:28} {_seconds(cell.median):>9} [{_spread(cell)}]{ratio}")
    out("peak memory")
    for key, peer in peers.items():
        peak = peak_gib(result, key)
        out(f"  {peer['title']:28} {'unknown' if peak is None else f'{peak:.2f} GiB':>9}")
    for check in checks(result):
        out(f"{check.verdict:12} {check.title}: {_measured(check) or '–'} (bar: {check.limit:g}{check.unit})")
    for line in result["skipped"].values():
        out(line)


def markdown(result: Result) -> str:
    """Write the page docs/benchmarks.md."""
    return "\n".join([*_head(result), *_tables(result), *_check_table(result), *_notes(result)]) + "\n"


def _head(result: Result) -> Iterator[str]:
    machine = result["machine"]
    yield "# Benchmarks\n"
    yield (
        "Random weights of Qwen3-VL-2B's exact shapes (speed does not depend on their values), a picture of noise that "
        "no cache has seen, one short Chinese question, greedy. All peers were asked in turn in one run; their times "
        "come from their own process, a start is timed from outside.\n"
    )
    yield f"- date: {result['date']}, {result['minutes']:g} minutes"
    family = f" (family {machine['family']})" if machine["family"] else ""
    yield (
        f"- hardware: {machine['num_cpus']} cores of {machine['cpu']}{family}, {', '.join(machine['extensions'])}; "
        f"{machine['memory_gib']:g} GiB; {machine['system']}"
    )
    versions = {name: version for peer in result["peers"].values() for name, version in peer["versions"].items()}
    yield f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}"
    yield f"- command: `{result['command']}` (peers: `python -m bench.setup_peers all`)"
    yield f"- rounds: {result['num_rounds']}, {result['num_tokens']} tokens an answer\n"


def _tables(result: Result) -> Iterator[str]:
    keys = [spec.key for spec in PEERS if spec.key in result["peers"]]
    titles = [result["peers"][key]["title"] for key in keys]
    yield "## Times\n"
    yield "Median [smallest–largest]; in bold the time of Kandong (first column) over the peer's, of neighbours.\n"
    yield f"| | {' | '.join(titles)} |\n|---|{'---|' * len(keys)}"
    for row in rows(result):
        yield f"| {row.title} | {' | '.join(_cell(row.cells.get(key)) for key in keys)} |"
    rates = {row.title: row.cells for row in rows(result) if row.title.startswith("one token")}
    for title, cells in rates.items():
        rate = (f"{1e3 / cells[key].median:.1f}/s" if key in cells else "–" for key in keys)
        yield f"| {title.replace('one token', 'tokens')} | {' | '.join(rate)} |"
    peaks = (peak_gib(result, key) for key in keys)
    yield f"| peak memory | {' | '.join('–' if peak is None else f'{peak:.1f} GiB' for peak in peaks)} |\n"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    ratio = "" if cell.ratio is None else f" **{cell.ratio:.2f}**"
    return f"{_seconds(cell.median)} [{_spread(cell)}]{ratio}"


def _check_table(result: Result) -> Iterator[str]:
    yield "## Bars\n"
    yield "| what | bar | measured | |\n|---|---|---|---|"
    for check in checks(result):
        yield f"| {check.title} | ≤ {check.limit:g}{check.unit} | {_measured(check) or '–'} | {check.verdict} |"
    yield ""


def _notes(result: Result) -> Iterator[str]:
    yield "## What the numbers mean\n"
    yield "- vision: from RGB pixels to features for the language model (resizing, patches, tower). prefill: the"
    yield "  language model over the whole prompt. first token: from the question. one token: mean of those after it."
    yield "- start: from the start of the process, imports included, with all files in the page cache; the first answer"
    yield "  is one token about 512×512. Kandong's conversion, which only its very first start makes, is not counted."
    yield "- peak memory: largest resident size of the process, mapped files included."
    notes = {spec.key: f"; {spec.note}" for spec in PEERS if spec.note}
    for key, peer in result["peers"].items():
        note = notes.get(key, "")
        sizes = sorted({answer["num_prompt_tokens"] for answer in peer["answers"]})
        yield f"- {peer['title']}: {peer['about']}; prompts of {' and '.join(map(str, sizes))} tokens{note}."
    for line in result["skipped"].values():
        yield f"- {line}."
