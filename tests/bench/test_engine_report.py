"""Medians, ratios of neighbours, bars and the page, reckoned from results made up by hand."""

from __future__ import annotations

import pytest

from bench.engine_report import Check, checks, markdown, print_report, rows
from bench.peers.catalogue import REFERENCE
from tests.bench.made_up import result


def test_a_row_has_the_median_and_all_values_of_every_peer() -> None:
    table = {row.title: row.cells for row in rows(result())}
    cell = table["vision 512×512"][REFERENCE]
    assert sorted(cell.values) == [700, 800, 900, 2400]
    assert cell.median == 850
    assert cell.ratio is None
    assert "vision 1024×1024" not in table


def test_a_ratio_compares_neighbours_and_not_medians() -> None:
    cells = {row.title: row.cells for row in rows(result())}["vision 512×512"]
    # 800/1000, 2400/3000, 900/1000; the slow round of both is no worse than the others.
    assert cells["genai"].ratio == pytest.approx(0.8)
    # Only its own group counts: 700, not the 850 over all.
    assert cells["transformers-f32"].ratio == pytest.approx(0.1)


def test_a_quantity_that_no_answer_has_gives_no_cell() -> None:
    cells = {row.title: row.cells for row in rows(result())}["one token 512×512"]
    assert "transformers-f32" not in cells
    assert cells["genai"].ratio == 1


def test_starts_are_compared_by_their_medians() -> None:
    cells = {row.title: row.cells for row in rows(result())}["start, ready"]
    assert cells[REFERENCE].median == 3100
    assert cells["genai"].ratio == pytest.approx(3100 / 6100)


def test_bars_pass_fail_or_say_that_the_peer_is_missing() -> None:
    verdicts = {check.title: check.verdict for check in checks(result())}
    assert verdicts["vision 512×512 ÷ OpenVINO GenAI"] == "pass"
    assert verdicts["one token 512×512 ÷ OpenVINO GenAI"] == "FAIL"
    assert verdicts["first token 512×512 ÷ transformers f32"] == "pass"
    assert verdicts["first token 1024×1024 ÷ llama.cpp"] == "not measured"
    assert verdicts["second start, ready"] == "pass"
    assert verdicts["peak memory ÷ OpenVINO GenAI"] == "pass"


@pytest.mark.parametrize(("measured", "verdict"), [(0.85, "pass"), (0.851, "FAIL"), (None, "not measured")])
def test_a_bar_is_met_up_to_its_limit(measured: float | None, verdict: str) -> None:
    assert Check("vision", 0.85, measured).verdict == verdict


def test_slow_starts_and_much_memory_fail() -> None:
    made_up = result()
    made_up["peers"][REFERENCE]["starts"] = [{"ready_ms": 4001.0, "first_answer_ms": 5000.0}]
    made_up["peers"][REFERENCE]["peak_bytes"] = 8 * 2**30
    verdicts = {check.title: check.verdict for check in checks(made_up)}
    assert verdicts["second start, ready"] == "FAIL"
    assert verdicts["peak memory"] == "FAIL"
    assert verdicts["peak memory ÷ OpenVINO GenAI"] == "FAIL"


def test_without_kandong_there_are_times_but_no_ratios() -> None:
    made_up = result()
    del made_up["peers"][REFERENCE]
    assert all(cell.ratio is None for row in rows(made_up) for cell in row.cells.values())
    assert {check.verdict for check in checks(made_up)} == {"not measured"}


def test_the_page_names_date_hardware_versions_command_and_what_is_missing() -> None:
    page = markdown(result())
    for part in ("2026-01-02", "2 cores of a CPU (family 25), avx2; 8 GiB", "library 1.2", "`python -m bench.engine`"):
        assert part in page
    assert "- llama.cpp Q8_0 is not set up: run `python -m bench.setup_peers llama.cpp`." in page
    assert "| vision 512×512 | 850 ms [0.7–2.4] | 1.0 s [1.0–3.0] **0.80** | 7.0 s [7.0–7.0] **0.10** |" in page
    assert "| tokens 512×512 | 10.0/s | 10.0/s | – |" in page
    assert "| vision 512×512 ÷ OpenVINO GenAI | ≤ 0.85× | 0.8× | pass |" in page


def test_the_report_in_words_has_a_line_for_each_bar_and_each_missing_peer() -> None:
    lines: list[str] = []
    print_report(result(), lines.append)
    assert "FAIL         one token 512×512 ÷ OpenVINO GenAI: 1× (bar: 0.95×)" in lines
    assert sum(line.startswith("llama.cpp Q8_0 is not set up") for line in lines) == 1
