"""Random requests by the service's own description: every answer is a documented one and tells nothing of the inside.

A few cases here; ``make fuzz`` sends 2,000. Each address gets its share of valid requests and of broken ones.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import schemathesis
from flask import Flask
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kandong.settings import Settings
from tests.repetitions import repetitions
from tests.server.asking import URL

NUM_CASES = int(os.environ.get("KANDONG_TEST_FUZZ_CASES", repetitions(150, 2_000)))
LEAKS = re.compile(r"0x[0-9a-f]{6,}|Traceback|File \"|/home/|/tmp/|/usr/|site-packages|\.py\b")
CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# One goes to the network, the other may take seconds; both have tests of their own.
LEFT_OUT = {("post", "/api/models/pull"), ("get", "/api/system/doctor")}
SHARE_OF_CHAT = 6  # it takes the most
# What the machine's own state decides: whether the disk is full, the model slow, the queue full.
ALLOWED_FAILURES = (503, 504, 507)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Answers take half a second at most, and nobody is refused for asking often."""
    return replace(settings, max_answer_s=0.5, requests_per_minute=1_000_000)


def operations(app: Flask) -> list[Any]:
    """Give every address and method of the description."""
    config = schemathesis.Config.from_dict({})
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    return [one for one in found if (one.method.lower(), one.path) not in LEFT_OUT]


def test_every_answer_is_a_documented_one(app: Flask) -> None:
    everything = operations(app)
    per_kind = max(1, -(-NUM_CASES // (2 * len(everything))))
    statuses: Counter[int] = Counter()
    for operation in everything:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            share = SHARE_OF_CHAT if operation.path == URL else 1
            _fuzz(operation, mode, share * per_kind, statuses)
    assert statuses.total() >= NUM_CASES, statuses
    assert statuses[200] > 0
    assert statuses[400] > 0
    print(f"{statuses.total()} cases: {dict(sorted(statuses.items()))}")


def _fuzz(operation: Any, mode: GenerationMode, num_cases: int, statuses: Counter[int]) -> None:
    @hypothesis.settings(
        max_examples=num_cases,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        response = case.call()
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        said = response.content.decode("utf-8", "replace")
        is_ours = response.headers.get("content-type", [""])[0].startswith("application/json")
        assert response.status_code < 500 or response.status_code in ALLOWED_FAILURES, said
        assert response.status_code < 400 or is_ours, said
        assert response.status_code < 400 or not LEAKS.search(said), said

    try:
        send()
    except hypothesis.errors.Unsatisfiable:
        return  # nothing can be wrong about a request without body and query
