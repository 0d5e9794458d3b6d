"""How many requests an owner may send in a minute.

Owns: a token bucket for each. Must not know: keys, HTTP. Thread-safe.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from kandong.errors import RateLimitError

_BURST_S = 10.0  # a bucket holds as much as comes in so many seconds, so that a page may load in one go
_MIN_BURST = 20.0
_MAX_BUCKETS = 10_000


class RateLimits:
    """Buckets that fill evenly."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when there were so many

    def take(self, owner: str, per_minute: int) -> None:
        """Take one token of an owner's bucket. Errors: ``RateLimitError`` saying when there is the next."""
        rate = per_minute / 60
        size = min(float(per_minute), max(_MIN_BURST, rate * _BURST_S))
        with self._lock:
            now = self._now()
            tokens, since = self._buckets.get(owner, (size, now))
            tokens = min(size, tokens + (now - since) * rate)
            is_enough = tokens >= 1
            self._buckets[owner] = (tokens - is_enough, now)
            if len(self._buckets) > _MAX_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        if not is_enough:
            raise RateLimitError(
                f"More than {per_minute} requests a minute.",
                hint="Wait as long as Retry-After says.",
                retry_after_s=max(1, math.ceil((1 - tokens) / rate)),
            )
