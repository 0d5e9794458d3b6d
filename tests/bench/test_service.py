"""The bench of the service: its arithmetic and its page, on made-up results."""

from __future__ import annotations

from typing import Any

from bench.service import Load, missed_bars, quantiles_ms
from bench.service_report import markdown
from tests.server.served import Reply

TIMES = {"number": 10, "p50_ms": 1.0, "p99_ms": 9.0, "longest_ms": 10.0}


def results(**overload: Any) -> dict[str, Any]:
    return {
        "machine": {"cpu": "a machine"},
        "load_average": 0.5,
        "picture": {"healthz": TIMES, "gaps_of_the_other_stream": TIMES},
        "capacity": {"answered_per_s": 2.0},
        "overload": {
            "offer_s": 120.0,
            "offered_per_s": 20.0,
            "statuses": {"200": 240, "429": 2160},
            "refusals": TIMES,
            "connections_broken": 0,
            "goodput_share": 0.97,
            "healthz": TIMES,
        }
        | overload,
        "flood": {"b_alone_s": 1.0, "b_in_the_flood_s": 1.5, "b_waits_service_times": 0.5},
        "standstill": {"deadline_s": 3, "status": 504, "told_after_s": 3.0, "ready_again_after_s": 14.0},
        "missed": [],
    }


def test_quantiles_are_of_the_times() -> None:
    assert quantiles_ms([]) == {"number": 0}
    assert quantiles_ms([float(i) for i in range(1, 101)]) == {
        "number": 100,
        "p50_ms": 51.0,
        "p99_ms": 100.0,
        "longest_ms": 100.0,
    }


def test_load_counts_what_came_back() -> None:
    load = Load([Reply(200, {}, b"", 1.0), Reply(429, {"Retry-After": "1"}, b"", 0.01), Reply(503, {}, b"", 0.02)])
    told = load.summary(2.0)
    assert told["statuses"] == {"200": 1, "429": 1, "503": 1}
    assert told["answered_per_s"] == 0.5
    assert told["refusals"]["number"] == 2
    assert not told["every_refusal_says_when_to_come_again"]


def test_missed_bars_are_named() -> None:
    assert missed_bars(results()) == []
    missed = missed_bars(results(goodput_share=0.5, refusals=TIMES | {"p99_ms": 300.0}))
    assert [name.split(":")[0] for name in missed] == ["refusal_p99_ms", "goodput_share"]


def test_page_says_what_was_measured_and_missed() -> None:
    page = markdown(results())
    assert "240 × 200, 2160 × 429" in page
    assert "All bars are met." in page
    assert "Missed: x." in markdown(results() | {"missed": ["x"]})
