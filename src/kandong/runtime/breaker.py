"""When to start a process again that keeps dying.

Owns: the rule. Must not know: processes.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """``max_deaths`` within ``window_s`` open the breaker for ``cool_down_s``, twice as long each time, up to a cap."""

    first_delay_s: float = 0.1
    max_delay_s: float = 5.0
    max_deaths: int = 3
    window_s: float = 300.0
    cool_down_s: float = 60.0
    max_cool_down_s: float = 600.0


class Breaker:
    """Counts deaths and says how long to wait before the next start."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._deaths: deque[float] = deque()
        self._num_openings = 0

    def record_death(self, now: float | None = None) -> None:
        """Note a death at ``now`` (monotonic)."""
        now = time.monotonic() if now is None else now
        while self._deaths and self._deaths[0] <= now - self._policy.window_s:
            self._deaths.popleft()
        self._deaths.append(now)
        self._num_openings = self._num_openings + 1 if self.is_open else 0

    @property
    def is_open(self) -> bool:
        """Whether it died too often: callers are to be refused until the next start."""
        return len(self._deaths) >= self._policy.max_deaths

    def delay_s(self) -> float:
        """Give how long to wait after the last death: doubling from death to death, or the cool-down."""
        policy = self._policy
        if self.is_open:
            return min(policy.max_cool_down_s, policy.cool_down_s * 2.0 ** (self._num_openings - 1))
        return min(policy.max_delay_s, policy.first_delay_s * 10.0 ** (len(self._deaths) - 1))
