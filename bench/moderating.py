"""Judging a folder of posters with the real command: one report each, a table, and the seconds a poster.

Owns: the folder, the run, its clock, bench/results/moderating.json. Must not know: how posts are judged.
Run: ``python -m bench.moderating``; then ``python -m docs.generate`` writes docs/quality.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Final

from bench.cards.make import make_cards, write_cards

RESULT: Final = Path("bench/results/moderating.json")
MAX_POSTER_S: Final = 1.0


def measured(num_posters: int, seed: int) -> dict[str, Any]:
    """Write posters, have them judged by a process of their own, and give what came out.

    The first poster's time is left out of ``seconds``: the graphs are opened for it. Errors: ``RuntimeError`` where the
    command fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, table = Path(name) / "posters", Path(name) / "table.xlsx"
        write_cards(folder, make_cards(num_posters, seed, ("poster",)))
        for truth in folder.glob("*.json"):
            truth.unlink()
        command = [sys.executable, "-m", "kandong.cli.main", "moderate", str(folder), "--out", str(table), "--json"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        whole_s = time.perf_counter() - start
        if done.returncode not in {0, 10, 11}:
            raise RuntimeError(f"kandong moderate ended with {done.returncode}: {done.stderr[-500:]}")
        posts = [json.loads(row) for row in done.stdout.splitlines()]
        seconds = [post["ms"] / 1000 for post in posts[1:]]
        return {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "command": f"python -m bench.moderating --posters {num_posters} --seed {seed}",
            "num_cores": os.cpu_count(),
            "num_posters": num_posters,
            "num_reports": len({post["post"] for post in posts if post["report"] is not None}),
            "num_table_rows": _num_rows(table),
            "mean_s": round(statistics.fmean(seconds), 3),
            "median_s": round(statistics.median(seconds), 3),
            "worst_s": round(max(seconds), 3),
            "whole_s": round(whole_s, 1),
        }


def _num_rows(table: Path) -> int:
    """Count the posts in the first sheet of an Excel file, without its heading."""
    with zipfile.ZipFile(table) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    return sheet.count("<row ") - 1


def main() -> int:
    """Run, print and keep the result; gives 1 where a poster takes too long or has no report."""
    parser = argparse.ArgumentParser(prog="python -m bench.moderating", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--posters", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--seed", type=int, default=5, help="another seed gives other posters (default 5)")
    options = parser.parse_args()
    data = measured(options.posters, options.seed)
    RESULT.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(data, indent=1))
    return int(data["num_reports"] != options.posters or data["mean_s"] > MAX_POSTER_S)


if __name__ == "__main__":
    sys.exit(main())
