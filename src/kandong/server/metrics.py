"""Numbers about the service in Prometheus' text format (version 0.0.4).

Owns: names, help lines, and the format: a few lines that need no library. Must not know: who reads it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_GAUGES = ("_bytes", "_running", "_waiting", "_in_flight", "_available", "_findable", "_per_unit", "_per_token", "_ms")


class RequestMetrics:
    """Counts answers by route and status, and how long they took to begin. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._total_s = 0.0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            self._counts[method, route, status] += 1
            self._buckets[next((bound for bound in _BOUNDS_S if seconds <= bound), float("inf"))] += 1
            self._total_s += seconds

    def lines(self) -> list[str]:
        """Give its part of the page."""
        with self._lock:
            counts, buckets, total_s = dict(self._counts), dict(self._buckets), self._total_s
        name = "kandong_http_requests_total"
        lines = [f"# HELP {name} Answers by method, route and status.", f"# TYPE {name} counter"]
        for (method, route, status), count in sorted(counts.items()):
            labels = f'method="{_escaped(method)}",route="{_escaped(route)}",status="{status}"'
            lines.append(f"{name}{{{labels}}} {count}")
        name = "kandong_http_request_seconds"
        lines += [f"# HELP {name} Time until an answer begins.", f"# TYPE {name} histogram"]
        cumulated = 0
        for bound in (*_BOUNDS_S, float("inf")):
            cumulated += buckets.get(bound, 0)
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{name}_bucket{{le="{shown}"}} {cumulated}')
        return [*lines, f"{name}_sum {total_s:.6f}", f"{name}_count {cumulated}"]


def metrics_page(requests: RequestMetrics, values: Mapping[str, float], *, is_ready: bool, started_s: float) -> str:
    """Give the whole page; ``values`` are gauges and counters by name."""
    everything = {"ready": float(is_ready), "uptime_seconds": time.time() - started_s, **values}
    lines = requests.lines()
    for name, value in sorted(everything.items()):
        is_gauge = name in ("ready", "uptime_seconds") or name.endswith(_GAUGES)
        lines += [f"# TYPE kandong_{name} {'gauge' if is_gauge else 'counter'}", f"kandong_{name} {value:g}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
