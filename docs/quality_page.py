"""docs/quality.md from the JSON that the quality measurements left in bench/results.

Owns: the page's words and tables. Must not know: how anything was measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.judging_section import judging_section

RESULTS = Path(__file__).resolve().parent.parent / "bench" / "results"
_OURS, _PLAIN = "kandong", "rapidocr"
_RATES = (
    ("cer", "wrong characters"),
    ("cer_any_order", "in any order"),
    ("line_exact", "lines exact"),
    ("number_exact", "numbers exact"),
)
_COUNTS = (
    ("num_silently_wrong_numbers", "numbers silently wrong"),
    ("num_lost_lines", "lines lost"),
    ("num_doubled_lines", "lines doubled"),
    ("num_invented_lines", "lines invented"),
)
_WAYS = {
    "jpeg": "saved as JPEG two to five times",
    "light": "small, saved once or twice",
    "noise": "dark and grainy",
    "blur": "out of focus",
    "clean": "hardly worn",
}
_SECONDS = (("mean", "mean_s"), ("median", "median_s"), ("longest", "worst_s"))


def quality_page(results: Path = RESULTS) -> str:
    """Give the page; what was not measured yet is said to be so."""
    parts = ["# Quality\n"]
    reading, rules = results / "quality.json", results / "rules.json"
    parts += _reading(json.loads(reading.read_text("utf-8"))) if reading.is_file() else ["Reading: not measured yet.\n"]
    worn_lines = results / "worn_lines.json"
    if worn_lines.is_file():
        parts += [_worn_lines(json.loads(worn_lines.read_text("utf-8")))]
    moderating = results / "moderating.json"
    if moderating.is_file():
        parts += [_moderating(json.loads(moderating.read_text("utf-8")))]
    if rules.is_file():
        parts += _rules(json.loads(rules.read_text("utf-8")))
    judging = results / "judging.json"
    if judging.is_file():
        parts += judging_section(json.loads(judging.read_text("utf-8")))
    return "\n".join(parts)


def _reading(data: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    asked, done = data["num_cards_asked"], data["num_cards"]
    ended = (
        "" if asked == done else f" The run was ended after {done} of {asked} cards; all counts are of those {done}."
    )
    head = f"""## Reading

Kandong (K) beside RapidOCR with its defaults (R), same runtime, the same {done} generated cards in one run, whoever
goes first changing from card to card. Both have the weights in RapidOCR's wheel; Kandong reads unsure lines once more
with weights that were trained further here (below). `{data["command"]}`, {data["date"]}, {data["processor"]},
{data["num_cores"]} cores, Python {data["python"]}, {versions}.{ended}

Wrong characters: edits between the whole texts in reading order, by true characters; spaces and full width do not
count. In any order: edits line by line where they stand, so that only the reading order is left out. A number is exact
if the same parser finds its kind and value in the line read in its place. Silently wrong: the line was read, the number
is not exact, and neither the tool marked the line nor was its confidence below 0.85. Seconds are medians; the ratio
is the median of the ratios card by card. Generated cards are cleaner than life: the figures compare tools, they do not
promise the same on photographs.
"""
    names = "".join(f" {name} K | R |" for _, name in _RATES)
    lines = [f"| kind | cards |{names} s K | R | ratio |", "|---|---|" + "---|" * (2 * len(_RATES) + 3)]
    for row in data["rows"]:
        ours, plain = row["tools"][_OURS], row["tools"][_PLAIN]
        cells = "".join(f" {100 * ours[key]:.2f} % | {100 * plain[key]:.2f} % |" for key, _ in _RATES)
        seconds = f" {ours['median_s']:.2f} | {plain['median_s']:.2f} | {row['time_ratio']:.2f} |"
        lines.append(f"| {row['kind']} | {row['num_cards']} |{cells}{seconds}")
    names = "".join(f" {name} K | R |" for _, name in _COUNTS)
    lines += ["", f"| kind | lines | numbers |{names}", "|---|---|---|" + "---|" * 8]
    for row in data["rows"]:
        ours, plain = row["tools"][_OURS], row["tools"][_PLAIN]
        cells = "".join(f" {ours[key]} | {plain[key]} |" for key, _ in _COUNTS)
        lines.append(f"| {row['kind']} | {ours['num_lines']} | {ours['num_numbers']} |{cells}")
    whole = data["rows"][-1]["tools"][_OURS]
    lines.append(f"\nQR codes read: {whole['num_read_codes']} of {whole['num_codes']} (RapidOCR reads none).\n")
    return [head, "\n".join(lines), _intervals(data["rows"]), _bars(data["bars"])]


def _intervals(rows: list[dict[str, Any]]) -> str:
    """Show how sure the share of RapidOCR's wrong characters is by the cards that were read."""
    lines = [
        "### What so many cards can tell\n",
        "Kandong's wrong characters by RapidOCR's, and where 95 % of draws of as many cards lie (bootstrap).\n"
        "A bar at 0.5 is decided where the whole interval lies on one side of it.\n",
        "| kind | wrong K | wrong R | K by R | 95 % |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        ours, plain = (row["tools"][tool]["num_wrong_characters"] for tool in (_OURS, _PLAIN))
        share = f"{ours / plain:.2f}" if plain else "–"
        low, high = (row.get(key) for key in ("share_low", "share_high"))
        bounds = "–" if low is None else f"{low:.2f} to {'∞' if high is None else f'{high:.2f}'}"
        lines.append(f"| {row['kind']} | {ours} | {plain} | {share} | {bounds} |")
    return "\n".join(lines) + "\n"


def _bars(bars: list[dict[str, Any]]) -> str:
    """Show every bar with what was measured; those that are missed stand out."""
    rows = [
        f"### Bars: {sum(bar['is_reached'] for bar in bars)} of {len(bars)} reached\n",
        "A bar in parts of RapidOCR's wrong characters is missed where RapidOCR makes no mistake and Kandong one.\n"
        "A further tile: what a long picture takes beyond the median poster, for each 4:3 of width past the first.\n",
        "| bar | measured | limit | |",
        "|---|---|---|---|",
    ]
    for bar in bars:
        sign = {"<=": "≤", ">=": "≥"}[bar["sense"]]
        mark = "reached" if bar["is_reached"] else "**missed**"
        rows.append(f"| {bar['bar']} | {bar['measured']:g} | {sign} {bar['limit']:g} | {mark} |")
    return "\n".join(rows) + "\n"


def _worn_lines(data: dict[str, Any]) -> str:
    """Show what the trained weights do on sheets of their own kind that they never saw."""
    lines = [
        "### Lines worn on their way\n",
        f"`{data['command']}`, {data['date']}: lines of sheets that were drawn and worn as those of the\n"
        "training, with texts, faces, colours and wear of the same kinds, but other seeds. Wrong characters by the\n"
        "weights in RapidOCR's wheel, by those trained further (`make worn-lines`), and by both together.\n",
        "| worn how | lines | characters | bundled | trained | both |",
        "|---|---|---|---|---|---|",
    ]
    for way, row in data["ways"].items():
        shares = " | ".join(f"{100 * row[key] / row['characters']:.2f} %" for key in ("bundled", "trained", "both"))
        lines.append(f"| {_WAYS[way]} | {row['lines']} | {row['characters']} | {shares} |")
    return "\n".join(lines) + "\n"


def _moderating(data: dict[str, Any]) -> str:
    seconds = ", ".join(f"{name} {data[key]:.2f} s" for name, key in _SECONDS)
    return f"""## Judging a folder

`{data["command"]}`, {data["date"]}, {data["num_cores"]} cores: `kandong moderate FOLDER --out table.xlsx --json`
on {data["num_posters"]} generated posters gave {data["num_reports"]} reports and {data["num_table_rows"]} table rows.
A poster after the first took: {seconds} (bar 1 s). All, with starting and the table: {data["whole_s"]:.1f} s.
"""


def _rules(data: Any) -> list[str]:
    """Show precision and recall: a plain list of rules, or the same for several parts of the sentences."""
    if isinstance(data, list):
        return ["## Rules\n", _rule_table(data)]
    parts = [f"## Rules\n\n`{data['command']}`\n"]
    for part in data["parts"]:
        head = f"### {part['part']}: {part['num_sentences']} sentences, {part['num_innocent']} of them innocent\n"
        whole = f"Precision {part['precision']:.3f}, recall {part['recall']:.3f}.\n"
        parts += [head, whole, _rule_table(part["rules"])]
    return parts


def _rule_table(rules: list[dict[str, Any]]) -> str:
    rows = ["| rule | n | precision | recall |", "|---|---|---|---|"]
    for rule in rules:
        shares = ("–" if rule[key] is None else f"{rule[key]:.3f}" for key in ("precision", "recall"))
        rows.append(f"| {rule['rule']} | {rule['n']} | {' | '.join(shares)} |")
    return "\n".join(rows) + "\n"
