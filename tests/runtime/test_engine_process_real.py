"""The real engine in a real process, on the golden checkpoint: the answers of the reference, and the right ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kandong import Kandong
from kandong.errors import (
    CheckpointError,
    DeadlineExceededError,
    EngineLostError,
    EngineUnavailableError,
    InputError,
    KandongError,
    ModelNotFoundError,
    PromptTooLongError,
)
from kandong.runtime.client import EngineClient
from kandong.runtime.engine_process import EngineProcess
from kandong.runtime.supervisor import Supervisor, SupervisorOptions
from kandong.vlm.prompt import Message, TextPart
from kandong.vlm.request import Answer, Cancelled, Deadlines, Progress, Request, TextPiece
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN, golden_arrays, golden_request
from tests.runtime.engine_processes import QUICK, await_true, is_alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")
SETTINGS = {"model": str(GOLDEN / "tied"), "precision": "f32", "convert": False, "keep_features": False}
LONG = SamplingParameters(max_tokens=6000, ignore_eos=True)


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(SupervisorOptions(engine=SETTINGS, restart=QUICK, heartbeat_s=4.0, drain_s=5.0)) as running:
        running.wait_ready(120)
        yield running


@pytest.fixture
def client(supervisor: Supervisor) -> Iterator[EngineClient]:
    await_true(lambda: supervisor.state == "ready")
    with EngineClient(supervisor.folder) as connected:
        yield connected


def send_signal(supervisor: Supervisor, number: int) -> int:
    process_id = supervisor.process_id
    assert process_id is not None
    os.kill(process_id, number)
    return process_id


@pytest.mark.parametrize("case", ["text_only", "square", "two_pictures", "multi_turn"])
def test_answers_are_those_of_the_reference(client: EngineClient, case: str) -> None:
    expected = golden_arrays("tied", case)["greedy"].tolist()
    request = golden_request(case, SamplingParameters(max_tokens=len(expected), ignore_eos=True))
    events = list(client.generate(request))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert list(answer.token_ids) == expected
    assert "".join(e.text for e in events if isinstance(e, TextPiece)) == answer.text


def test_many_at_once_are_those_of_the_reference_too(client: EngineClient) -> None:
    cases = ["text_only", "square", "wide", "tall", "small"] * 2
    sampling = SamplingParameters(max_tokens=16, ignore_eos=True)
    handles = [client.submit(golden_request(case, sampling), client=case) for case in cases]
    for case, handle in zip(cases, handles, strict=True):
        assert list(handle.result(60).token_ids) == golden_arrays("tied", case)["greedy"].tolist()[:16]


def test_picture_that_was_seen_needs_its_pixels_no_more(client: EngineClient) -> None:
    sampling = SamplingParameters(max_tokens=2, ignore_eos=True)
    origins = [client.submit(golden_request("large", sampling)).result(60).pictures[0].origin for _ in range(2)]
    assert origins[1] in ("memory", "prefix")


def test_refusal_arrives_as_the_error_it_was(client: EngineClient) -> None:
    request = Request([Message("user", (TextPart("字" * 200_000),))])
    with pytest.raises(PromptTooLongError) as caught:
        list(client.generate(request))
    assert caught.value.field == "messages"


def test_health_answers_within_50_ms_while_the_model_writes(client: EngineClient) -> None:
    handle = client.submit(golden_request("large", LONG))
    events = iter(handle)
    while not isinstance(next(events), TextPiece):
        pass
    times_ms = []
    for _ in range(20):
        started = time.perf_counter()
        assert client.health().is_ready
        times_ms.append((time.perf_counter() - started) * 1e3)
    assert not handle.is_done
    handle.cancel()
    assert sorted(times_ms)[10] < 50, times_ms


def test_cancel_at_a_tenth_of_a_second_stops_the_work(client: EngineClient) -> None:
    handle = client.submit(golden_request("large", LONG))
    time.sleep(0.1)
    handle.cancel()
    started = time.monotonic()
    assert isinstance(list(handle)[-1], Cancelled)
    assert time.monotonic() - started < 2
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 0, 1)


def test_killed_while_writing_fails_retryably_and_the_retry_is_answered(
    supervisor: Supervisor, client: EngineClient
) -> None:
    events = client.generate(golden_request("square", LONG))
    while not isinstance(next(events), TextPiece):
        pass
    send_signal(supervisor, signal.SIGKILL)
    with pytest.raises(EngineLostError):
        list(events)
    again = client.submit(golden_request("square", SamplingParameters(max_tokens=4, ignore_eos=True)))
    assert list(again.result(60).token_ids) == golden_arrays("tied", "square")["greedy"].tolist()[:4]


def test_killed_before_the_first_token_is_answered_after_the_restart(
    supervisor: Supervisor, client: EngineClient
) -> None:
    # Stopped first, so that no token can come between submission and death.
    process_id = send_signal(supervisor, signal.SIGSTOP)
    handle = client.submit(golden_request("two_pictures", SamplingParameters(max_tokens=4, ignore_eos=True)))
    await_true(lambda: handle.course.is_sent)
    os.kill(process_id, signal.SIGKILL)
    assert list(handle.result(60).token_ids) == golden_arrays("tied", "two_pictures")["greedy"].tolist()[:4]
    assert client.metrics()["client_resent"] == 1


def test_stopped_process_fails_at_the_deadline_and_is_replaced(supervisor: Supervisor, client: EngineClient) -> None:
    process_id = send_signal(supervisor, signal.SIGSTOP)
    stopped = time.monotonic()
    request = golden_request("square", SamplingParameters(max_tokens=4, ignore_eos=True))
    late = Request(request.messages, request.pictures, request.sampling, deadlines=Deadlines(total_s=1.0))
    with pytest.raises(DeadlineExceededError):
        client.submit(late).result(10)
    assert time.monotonic() - stopped < 1 + 1 + 0.2
    assert len(client.submit(request).result(60).token_ids) == 4
    assert time.monotonic() - stopped < 30
    assert not is_alive(process_id)


def test_stopping_lets_what_is_under_way_finish(supervisor: Supervisor, client: EngineClient) -> None:
    handle = client.submit(golden_request("square", SamplingParameters(max_tokens=40, ignore_eos=True)))
    events = iter(handle)
    while not isinstance(next(events), Progress | TextPiece):
        pass
    process_id = send_signal(supervisor, signal.SIGTERM)
    last = list(events)[-1]
    assert isinstance(last, Answer), last
    assert len(last.token_ids) == 40
    await_true(lambda: not is_alive(process_id), 10)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"model": "/none"}, ModelNotFoundError), (SETTINGS | {"speed": 9}, InputError)],
    ids=["model", "setting"],
)
def test_wrong_settings_are_told(settings: dict[str, object], kind: type[KandongError]) -> None:
    with Supervisor(SupervisorOptions(engine=settings)) as running, pytest.raises(kind, match=r"none|speed"):
        running.wait_ready(60)


def test_class_kandong_runs_its_engine_in_a_process_and_ends_it() -> None:
    heard: list[str] = []
    options = {"precision": "f32", "convert": False, "keep_features": False, "report": heard.append}
    with Kandong(GOLDEN / "tied", process=True, **options) as there:  # type: ignore[arg-type]
        here = Kandong(GOLDEN / "tied", **options)  # type: ignore[arg-type]
        chats = [kandong.chat([GOLDEN / "pictures" / "square.png"]) for kandong in (there, here)]
        for question in ("价格？", "还有呢？"):
            first, second = (chat.ask(question, max_tokens=8) for chat in chats)
            assert first.token_ids == second.token_ids
        told, expected = there.describe(first), here.describe(second)
        assert {k: told[k] for k in told if k != "timings_ms"} == {k: expected[k] for k in told if k != "timings_ms"}
        with pytest.raises(KandongError, match="process of its own"):
            _ = there.engine
        process = there._engine
        assert isinstance(process, EngineProcess)
        number, folder = process.supervisor.process_id, process.supervisor.folder
        assert number is not None
    assert heard  # what it was doing while it loaded
    assert not is_alive(number)
    assert not folder.exists()
    with pytest.raises(EngineUnavailableError):
        there.ask([], "还在吗？")
    there.close()


LEAVER = """
import sys
from kandong import Kandong
kd = Kandong(sys.argv[1], process=True, precision="f32", convert=False, keep_features=False)
print(kd._engine.supervisor.folder, kd.ask([], "价格？", max_tokens=2).finish_reason)
"""


def test_program_that_forgets_to_close_leaves_nothing_behind() -> None:
    command = [sys.executable, "-c", LEAVER, str(GOLDEN / "tied")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    folder, reason = result.stdout.split()
    assert reason == "length"
    assert not Path(folder).exists()
    assert result.stderr == ""


def test_class_kandong_says_what_its_process_could_not_load() -> None:
    with pytest.raises(InputError, match="precision"):
        Kandong(GOLDEN / "tied", process=True, precision="int3")
    with pytest.raises(CheckpointError):
        Kandong(GOLDEN / "pictures", process=True)
