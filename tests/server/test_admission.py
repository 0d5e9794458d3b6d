"""Who may start work: caps, predicted waiting, threads, draining; and what a request is predicted to take."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kandong.errors import EngineUnavailableError, QueueFullError, RateLimitError
from kandong.server.admission import Admission, AdmissionLimits
from kandong.server.prediction import predict_s
from kandong.server.services import Services
from kandong.vlm.request import Priority
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import golden_request


def work(done: list[bool]) -> Callable[[], Callable[[], bool]]:
    return lambda: lambda: bool(done)


def test_own_cap_is_429_and_the_queue_is_503() -> None:
    admission = Admission(AdmissionLimits(max_wait_s=10, max_in_flight=3))
    ended: list[bool] = []
    for _ in range(3):
        admission.admit("a", 2.0, work(ended))
    with pytest.raises(RateLimitError) as own:
        admission.admit("a", 2.0, work(ended))
    assert (own.value.retry_after_s or 0) >= 1
    admission.admit("b", 30.0, work(ended))  # nobody who has nothing under way is refused for what others have
    with pytest.raises(QueueFullError) as full:
        admission.admit("b", 1.0, work(ended))
    assert (full.value.retry_after_s or 0) >= 20
    ended.append(True)
    admission.admit("a", 2.0, work([]))
    assert admission.num_in_flight == 1


def test_waiting_of_an_owner_is_its_share_of_all() -> None:
    admission = Admission()
    for owner, seconds in (("a", 40.0), ("a", 40.0), ("b", 3.0)):
        admission.admit(owner, seconds, work([]))
    assert admission.predicted_wait_s("c") == 0
    assert admission.predicted_wait_s("b") == pytest.approx(6, rel=0.05)
    assert admission.predicted_wait_s("a") == pytest.approx(83, rel=0.05)


def test_key_may_have_a_cap_of_its_own() -> None:
    admission = Admission(AdmissionLimits(max_in_flight=3), lambda owner: 1 if owner == "small" else None)
    admission.admit("small", 1, work([]))
    with pytest.raises(RateLimitError):
        admission.check("small")
    admission.check("large")


def test_work_that_does_not_start_is_not_counted() -> None:
    admission = Admission()

    def fail() -> Callable[[], bool]:
        raise QueueFullError("x")

    with pytest.raises(QueueFullError):
        admission.admit("a", 1, fail)
    assert admission.num_in_flight == 0


def test_threads_are_given_back_once() -> None:
    admission = Admission(AdmissionLimits(max_long_requests=2))
    release, _ = admission.take_thread(), admission.take_thread()
    with pytest.raises(QueueFullError):
        admission.take_thread()
    release()
    release()
    assert admission.num_long_requests == 1
    admission.take_thread()
    with pytest.raises(QueueFullError):
        admission.take_thread()


def test_nobody_is_let_in_while_draining() -> None:
    admission = Admission()
    ended: list[bool] = []
    admission.admit("a", 1, work(ended))
    admission.begin_drain()
    with pytest.raises(EngineUnavailableError):
        admission.check("a")
    started = time.monotonic()
    assert not admission.wait_idle(0.1)
    assert time.monotonic() - started < 1
    ended.append(True)
    assert admission.wait_idle(1)


def test_prediction_grows_with_what_is_asked(services: Services) -> None:
    config, metrics = services.host.config, services.host.metrics()

    def seconds(case: str, max_tokens: int) -> float:
        return predict_s(golden_request(case, SamplingParameters(max_tokens=max_tokens)), config, metrics)

    assert 0 < seconds("text_only", 1) < seconds("text_only", 50) < seconds("large", 50)
    dear = metrics | {"engine_cost_token_ms": 5_000.0}
    assert predict_s(golden_request("text_only", SamplingParameters(max_tokens=50)), config, dear) > 200


def test_every_request_to_the_engine_is_counted(services: Services) -> None:
    request = golden_request("text_only", SamplingParameters(max_tokens=2000, ignore_eos=True))
    handle = services.engine.submit(request, client="a")
    assert services.admission.num_in_flight == 1
    ahead = services.engine.submit(golden_request("small"), client="a", priority=Priority.WARM_UP)
    assert services.admission.num_in_flight == 1
    for one in (handle, ahead):
        one.cancel()
        list(one)
    assert services.admission.num_in_flight == 0
