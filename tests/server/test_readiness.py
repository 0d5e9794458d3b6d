"""Ready means ready: whenever ``/readyz`` says so, a request is carried out, also while engines die."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.repetitions import repetitions
from tests.server.served import CHAT, TIED, long_question, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")
NUM_PROBES = repetitions(150, 1_000)
# A third death within five minutes would open the breaker.
NUM_DEATHS = 2


def test_whenever_it_says_ready_a_request_is_answered(tmp_path: Path, figure: Figure) -> None:
    statuses: Counter[int] = Counter()
    deaths = {NUM_PROBES * (i + 1) // (NUM_DEATHS + 1) for i in range(NUM_DEATHS)}
    num_not_ready = 0
    with served(tmp_path, *TIED, "--requests-per-minute", "1000000") as service:
        while statuses.total() < NUM_PROBES:
            if service.ask("GET", "/readyz").status != 200:
                num_not_ready += 1
                time.sleep(0.02)
                continue
            statuses[service.ask("POST", CHAT, long_question(1), timeout_s=60).status] += 1
            if statuses.total() in deaths:
                deaths.remove(statuses.total())
                os.kill(service.engine_id(), signal.SIGKILL)
    assert statuses == {200: NUM_PROBES}
    assert num_not_ready > 0  # while it loaded, and after each death
    figure(
        f"{NUM_PROBES} requests after a 200 of /readyz: all answered; 503 {num_not_ready} times, {NUM_DEATHS} deaths"
    )
