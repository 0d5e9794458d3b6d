"""The page of the service under load, from what ``bench.service`` measured.

Owns: how the figures read. Must not know: how they were measured.
"""

from __future__ import annotations

from typing import Any

from bench.service import BARS, RESULTS

__all__ = ["RESULTS", "markdown"]


def markdown(results: dict[str, Any]) -> str:
    """Give the page."""
    machine, picture, flood, still = (results[name] for name in ("machine", "picture", "flood", "standstill"))
    capacity, overload = results["capacity"], results["overload"]
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(overload["statuses"].items()))
    rows = [
        (
            "`/healthz` while a 1024² picture is encoded",
            _times(picture["healthz"]),
            f"p99 ≤ {BARS['healthz_p99_ms']:g} ms",
        ),
        ("another stream meanwhile: pauses between its events", _times(picture["gaps_of_the_other_stream"]), ""),
        ("capacity: answers a second, 16 at once", f"{capacity['answered_per_s']}", ""),
        (f"offered for {overload['offer_s']:g} s", f"{overload['offered_per_s']} a second: {statuses}", ""),
        ("refusals", _times(overload["refusals"]), f"p99 ≤ {BARS['refusal_p99_ms']:g} ms"),
        ("connections broken", str(overload["connections_broken"]), "0"),
        ("answers a second, of the capacity", f"{overload['goodput_share']:.0%}", f"≥ {BARS['goodput_share']:.0%}"),
        ("`/healthz` meanwhile", _times(overload["healthz"]), ""),
        (
            "A floods with 500, B asks once",
            f"B alone {flood['b_alone_s']} s, in the flood {flood['b_in_the_flood_s']} s: "
            f"{flood['b_waits_service_times']} service times of waiting",
            f"≤ {BARS['b_waits_service_times']:g}",
        ),
        (
            f"engine stopped, deadline of {still['deadline_s']} s",
            f"{still['status']} after {still['told_after_s']} s, ready again after {still['ready_again_after_s']} s",
            "deadline + 1 s; 30 s",
        ),
    ]
    lines = [f"| {what} | {figure} | {bar} |" for what, figure, bar in rows]
    missed = "; ".join(results["missed"])
    return "\n".join(
        [
            "# The service under load",
            "",
            "`python -m bench.service` on random weights of 2B shapes, answers of 16 tokens, four keys; on "
            f"{machine.get('cpu', 'this machine')}, load average {results['load_average']:.1f} at its beginning.",
            "",
            "| what | measured | bar |",
            "|---|---|---|",
            *lines,
            "",
            f"Missed: {missed}." if missed else "All bars are met.",
            "",
        ]
    )


def _times(told: dict[str, Any]) -> str:
    if not told["number"]:
        return "none"
    return (
        f"{told['number']}: median {told['p50_ms']:g} ms, 99 % within {told['p99_ms']:g} ms, "
        f"longest {told['longest_ms']:g} ms"
    )
