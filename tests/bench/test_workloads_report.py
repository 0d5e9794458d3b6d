"""Medians, ratios, bars and the page of the workloads, reckoned from results made up by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bench.workloads_report import FIGURES, OURS, Bar, bars, markdown, median, missing, print_report


def result() -> dict[str, Any]:
    """Three rounds of further questions beside OpenVINO GenAI, one of pauses; nothing else was run."""
    ours = [{"first_ms": 9000.0, "second_ms": ms, "third_ms": 400.0} for ms in (200.0, 900.0, 300.0)]
    genai = [{"first_ms": 9500.0, "second_ms": 6000.0, "third_ms": 3000.0} for _ in range(3)]
    stages = {f"{name}_num_stages": 0 for name in ("other_system", "other_order")} | {"restart_num_stages": 14}
    times = {f"{name}_ms": 1500.0 for name in ("other_system", "other_order", "restart")}
    sameness = {"num_prompts": 4, "num_tokens": 24, "num_same_batched": 3, "num_same_cached": 4, "num_same_drafted": 4}
    return {
        "date": "2026-01-02",
        "command": "python -m bench.workloads",
        "minutes": 1.5,
        "machine": {"cpu": "a CPU", "extensions": ["avx2"], "num_cpus": 2},
        "sizes": {"side_px": 1024, "other_side_px": 512, "num_rounds": 3, "num_transcript_characters": 300},
        "titles": {OURS: "Kandong", "genai": "OpenVINO GenAI int8", "llama.cpp": "llama.cpp Q8_0"},
        "versions": {"openvino-genai": "1.2"},
        "about": {OURS: "int8 weights"},
        "peak_bytes": {OURS: 3 * 2**30},
        "workloads": {
            "follow_up": {OURS: ours, "genai": genai},
            "moved_picture": {OURS: [times | stages]},
            "pauses": {OURS: [{"longest_gap_ms": ms, "median_gap_ms": 300.0} for ms in (500.0, 800.0)]},
            "sameness": {OURS: [sameness | {"gaps": [0.25]}]},
        },
        "skipped": {"llama.cpp": "llama.cpp Q8_0 is not set up: run `python -m bench.setup_peers llama.cpp`"},
    }


def test_a_median_is_over_the_rounds_and_absent_without_any() -> None:
    assert median(result(), "follow_up", "second_ms") == 300
    assert median(result(), "follow_up", "second_ms", "llama.cpp") is None
    assert median(result(), "crowd", "gain") is None


def test_bars_pass_fail_or_say_that_nothing_was_measured() -> None:
    found = {bar.title: bar for bar in bars(result())}
    assert found["second question about a picture, first token"].verdict == "pass"
    assert found["third question about a picture, first token"].verdict == "FAIL"
    ratio = found["second question, first token ÷ OpenVINO GenAI"]
    assert ratio.measured == pytest.approx(0.05)
    assert ratio.verdict == "pass"
    assert found["third question, first token ÷ OpenVINO GenAI"].verdict == "FAIL"
    assert found["stages of the tower for a known picture among others"].verdict == "pass"
    assert found["stages of the tower for a known picture after a restart"].verdict == "FAIL"
    assert found["eight at once ÷ one alone"].verdict == "not measured"
    # The worst pause of all rounds counts, not the middle one.
    assert found["longest pause while a picture comes in"].measured == pytest.approx(0.8)


def test_warming_half_way_is_compared_with_all_the_work() -> None:
    made_up = result()
    made_up["workloads"]["warm_up"] = {OURS: [{"warm_ms": 900.0, "after_ms": 100.0, "half_way_ms": 600.0}]}
    found = {bar.title: bar for bar in bars(made_up)}
    assert found["question half-way ÷ all the work"].measured == pytest.approx(0.6)
    assert found["question after warming, first token"].verdict == "pass"


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [
        (4.0, True, "pass"),
        (3.99, True, "FAIL"),
        (4.0, False, "pass"),
        (4.01, False, "FAIL"),
        (None, True, "not measured"),
    ],
)
def test_a_bar_is_met_up_to_its_limit(measured: float | None, at_least: bool, verdict: str) -> None:
    assert Bar("gain", 4.0, measured, "×", at_least).verdict == verdict


def test_the_page_has_measured_rows_alone_and_a_line_for_who_is_missing() -> None:
    page = markdown(result())
    assert "| second question: first token | 300 ms [200 ms–900 ms] | 6.0 s [6.0 s–6.0 s] |" in page
    assert "copying a transcript |" not in page
    assert "| peak memory | 3.0 GiB | – |" in page
    assert page.count("llama.cpp Q8_0 is not set up") == 1
    assert "of 4 answers of 24 tokens, the same as alone: batched 3, cached 4, drafted 4" in page
    assert "0.250 (at most 0.250) apart" in page


def test_a_run_that_was_cut_short_says_so() -> None:
    made_up = result()
    del made_up["workloads"]["follow_up"]["genai"][1:]
    made_up["titles"]["transformers-bf16"] = "transformers bf16"
    lines = list(missing(made_up))
    assert "OpenVINO GenAI int8: the run ended before all 3 rounds, some have 1" in lines
    assert "transformers bf16: the run ended before it was measured" in lines
    # A reason that is known is enough.
    assert len([line for line in lines if line.startswith("llama.cpp")]) == 1
    assert len(list(missing(result()))) == 1


def test_the_printed_report_has_every_bar() -> None:
    lines: list[str] = []
    print_report(result(), lines.append)
    for bar in bars(result()):
        assert any(line.startswith(bar.verdict) and bar.title in line for line in lines)
    assert lines[-1].startswith("llama.cpp Q8_0 is not set up")


def test_every_figure_is_of_its_own() -> None:
    assert len({(figure.workload, figure.field) for figure in FIGURES}) == len(FIGURES)
    assert len({figure.title for figure in FIGURES}) == len(FIGURES)
