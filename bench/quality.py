"""Quality of reading beside plain RapidOCR: the same fresh cards, both tools in one run, every mistake counted by kind.

Owns: the run, the sums, the table, bench/results/quality.json. Must not know: how a mistake is counted.
Run: ``python -m bench.quality --cards 240 --seed 2026``; then ``python -m docs.generate`` writes docs/quality.md.
``--rescore`` counts again what the last run read, also where it was ended early.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.cards.fonts import FontMissingError
from bench.cards.make import KINDS, make_card, make_cards
from bench.quality_bars import Timing, bars, further_tile_s
from bench.quality_intervals import share_interval
from bench.quality_metrics import Score, score
from bench.readings import OURS, PLAIN, load_readings, read_all

READINGS = Path(".cache/bench/quality-readings.jsonl")
RESULT = Path("bench/results/quality.json")
_PACKAGES = ("kandong", "rapidocr", "openvino", "pillow", "numpy")


def rates(total: Score) -> dict[str, Any]:
    """Give what the page shows, beside the counts."""
    return {
        "cer": round(total.num_wrong_characters / max(total.num_characters, 1), 5),
        "cer_any_order": round(total.num_wrong_characters_any_order / max(total.num_characters, 1), 5),
        "line_exact": round(total.num_exact_lines / max(total.num_lines, 1), 5),
        "number_exact": round(total.num_exact_numbers / max(total.num_numbers, 1), 5),
        **vars(total),
    }


def summed(readings: Path) -> tuple[list[dict[str, Any]], list[Timing]]:
    """Score a file of readings: a row for each kind, in the order of ``KINDS``, and one for all; times of each card."""
    timings: list[Timing] = []
    totals: dict[str, dict[str, Score]] = {}
    times: dict[str, dict[str, list[float]]] = {}
    wrong: dict[str, list[tuple[int, int]]] = {}
    for kind, seed, by_tool in load_readings(readings):
        card = make_card(kind, seed)
        timings.append(Timing(kind, *card.image.size, by_tool[OURS].took_s, by_tool[PLAIN].took_s))
        scores = {tool: score(card, reading) for tool, reading in by_tool.items()}
        for row in (kind, "all"):
            wrong.setdefault(row, []).append((scores[OURS].num_wrong_characters, scores[PLAIN].num_wrong_characters))
            for tool, reading in by_tool.items():
                own = totals.setdefault(row, {})
                own[tool] = own.get(tool, Score()) + scores[tool]
                times.setdefault(row, {}).setdefault(tool, []).append(reading.took_s)
    rows = []
    for kind in (*KINDS, "all"):
        if kind not in totals:
            continue
        tools = {
            tool: rates(total) | {"median_s": round(statistics.median(times[kind][tool]), 3)}
            for tool, total in totals[kind].items()
        }
        pairs = zip(times[kind][OURS], times[kind][PLAIN], strict=True)
        ratio = round(statistics.median(a / b for a, b in pairs), 3)
        low, high = share_interval(wrong[kind])
        row_data = {"kind": kind, "num_cards": len(times[kind][OURS]), "time_ratio": ratio, "tools": tools}
        rows.append(row_data | {"share_low": low, "share_high": high})
    return rows, timings


def result(readings: Path, num_cards: int, seed: int) -> dict[str, Any]:
    """Give the whole result as JSON data, with what is needed to judge and repeat it."""
    rows, timings = summed(readings)
    tile_s = further_tile_s(timings)
    return {
        "date": datetime.datetime.fromtimestamp(readings.stat().st_mtime, datetime.UTC).date().isoformat(),
        "command": f"python -m bench.quality --cards {num_cards} --seed {seed}",
        "num_cards_asked": num_cards,
        "num_cards": rows[-1]["num_cards"] if rows else 0,
        "processor": _processor(),
        "num_cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "further_tile_s": None if tile_s is None else round(tile_s, 3),
        "bars": bars(rows, timings),
        "rows": rows,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(rows: list[dict[str, Any]]) -> str:
    """Give the rows as text, ours before RapidOCR in each cell."""
    lines = [f"{'kind':<16}{'n':>4}  {'CER %':>14} {'line exact %':>14} {'number exact %':>15} {'lost':>9} {'s':>12}"]
    for row in rows:
        a, b = row["tools"][OURS], row["tools"][PLAIN]
        shares = [f"{100 * a[key]:6.2f} {100 * b[key]:6.2f}" for key in ("cer", "line_exact", "number_exact")]
        lost = f"{a['num_lost_lines']} {b['num_lost_lines']}"
        seconds = f"{a['median_s']:.2f} {b['median_s']:.2f}"
        lines.append(f"{row['kind']:<16}{row['num_cards']:>4}  {'  '.join(shares)} {lost:>9} {seconds:>12}")
    return "\n".join(lines)


def missed(found: list[dict[str, Any]]) -> str:
    """Give the bars as text: how many are reached, then each that is missed."""
    lines = [f"{sum(bar['is_reached'] for bar in found)} of {len(found)} bars reached"]
    lines += [
        f"missed: {bar['bar']}: {bar['measured']:g}, limit {bar['sense']} {bar['limit']:g}"
        for bar in found
        if not bar["is_reached"]
    ]
    return "\n".join(lines)


def main() -> int:
    """Run, print the table, write the JSON; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cards", type=int, default=240, help="how many cards, all kinds in turn (default 240)")
    parser.add_argument("--seed", type=int, default=2026, help="another seed gives other cards (default 2026)")
    parser.add_argument("--rescore", action="store_true", help="score the readings of the last run again")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--readings", type=Path, default=READINGS, help="where the readings are kept")
    options = parser.parse_args()
    try:
        if not options.rescore:
            for i, name in enumerate(read_all(make_cards(options.cards, options.seed), options.readings), start=1):
                print(f"\r{i}/{options.cards} {name:<30}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
        elif not options.readings.is_file():
            print(f"{options.readings}: no readings yet; run without --rescore first.", file=sys.stderr)
            return 1
        data = result(options.readings, options.cards, options.seed)
    except FontMissingError as error:
        print(error, file=sys.stderr)
        return 1
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(table(data["rows"]))
    print(missed(data["bars"]))
    return int(options.check and not all(bar["is_reached"] for bar in data["bars"]))


if __name__ == "__main__":
    sys.exit(main())
