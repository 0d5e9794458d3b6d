"""The engine's process dies, hangs, is stopped, or cannot load: every request still ends, and in the right way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kandong.errors import (
    CheckpointError,
    DeadlineExceededError,
    EngineLostError,
    EngineUnavailableError,
    PoisonRequestError,
)
from kandong.runtime.breaker import RestartPolicy
from kandong.runtime.client import EngineClient
from kandong.runtime.handle import Handle
from kandong.runtime.supervisor import Supervisor
from kandong.vlm.request import Answer, Cancelled, Failed, Progress, TextPiece
from tests.runtime.engine_processes import await_true, is_alive, script, scripted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")
TEXTLESS = "begin sleep:0.3 say:a:1"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with scripted() as running:
        running.wait_ready(20)
        yield running


@pytest.fixture
def client(supervisor: Supervisor) -> Iterator[EngineClient]:
    with EngineClient(supervisor.folder) as connected:
        yield connected


def kill(supervisor: Supervisor, number: int = signal.SIGKILL) -> int:
    process_id = supervisor.process_id
    assert process_id is not None
    os.kill(process_id, number)
    return process_id


def failure(handle: Handle) -> object:
    """Read a handle to its end; gives the class of its error."""
    last = list(handle)[-1]
    return type(last.error) if isinstance(last, Failed) else last


def read_until(handle: Handle, kind: type) -> Iterator[object]:
    """Read events up to the first of a kind; the iterator must be kept, because leaving it cancels."""
    events = iter(handle)
    while not isinstance(next(events), kind):
        pass
    return events


def test_killed_after_a_part_of_the_answer_fails_retryably_and_the_retry_is_answered(
    supervisor: Supervisor, client: EngineClient
) -> None:
    handle = client.submit(script("sleep:0.02 say:a:20"))
    events = read_until(handle, TextPiece)
    kill(supervisor)
    last = list(events)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, EngineLostError)
    assert last.error.retryable
    assert client.submit(script("sleep:0.02 say:a:20")).result(20).text == "a" * 20
    assert client.health().num_restarts == 1


def test_killed_before_the_first_text_is_answered_after_the_restart(
    supervisor: Supervisor, client: EngineClient
) -> None:
    handle = client.submit(script(TEXTLESS))
    events = read_until(handle, Progress)
    kill(supervisor)
    assert isinstance(list(events)[-1], Answer)
    assert client.metrics()["client_resent"] == 1


def test_request_that_kills_twice_is_refused_and_all_others_are_answered(client: EngineClient) -> None:
    bad = client.submit(script("begin sleep:0.1 die-begun"))
    good = [client.submit(script(f"sleep:0.05 begin say:g{i}:1")) for i in range(3)]
    more = [client.submit(script(f"sleep:0.05 begin say:m{i}:1")) for i in range(3)]
    assert failure(bad) is PoisonRequestError
    assert [h.result(20).text for h in good + more] == ["g0", "g1", "g2", "m0", "m1", "m2"]
    assert client.metrics()["engine_restarts"] == 2
    assert failure(client.submit(script("begin sleep:0.1 die-begun"))) is PoisonRequestError
    assert client.metrics()["engine_restarts"] == 2


@pytest.mark.parametrize("words", ["die", "die-at-submit", "raise"])
def test_request_that_kills_before_any_event_is_poison_after_two_deaths(client: EngineClient, words: str) -> None:
    handle = client.submit(script(words))
    (event,) = handle
    assert isinstance(event, Failed)
    assert isinstance(event.error, PoisonRequestError)
    assert not event.error.retryable
    assert client.metrics()["engine_restarts"] == 2
    assert client.submit(script("ok")).result(20).text == "好"


def test_request_that_was_there_at_one_death_is_no_poison(client: EngineClient, tmp_path: Path) -> None:
    flag = tmp_path / "died"
    assert client.submit(script(f"begin die-once:{flag}")).result(20).text == "好"
    flag.unlink()
    # Cleared by its good end: a death counts as its first again.
    assert client.submit(script(f"begin die-once:{flag}")).result(20).text == "好"


def test_stopped_process_fails_requests_at_their_deadline_and_is_replaced() -> None:
    with scripted(heartbeat_s=3.0) as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        handle = client.submit(script("sleep:0.02 say:a:1000", total_s=1.5))
        process_id = kill(supervisor, signal.SIGSTOP)
        stopped = time.monotonic()
        assert failure(handle) is DeadlineExceededError
        assert time.monotonic() - handle.course.submitted < 1.5 + 1
        assert client.health(0.2).state == "unresponsive"
        assert client.submit(script("ok")).result(20).text == "好"
        assert time.monotonic() - stopped < 30
        assert not is_alive(process_id)


def test_cancelling_while_the_process_is_stopped_ends_the_request() -> None:
    with scripted(heartbeat_s=3.0) as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        handle = client.submit(script("sleep:0.02 say:a:1000"))
        events = read_until(handle, TextPiece)
        kill(supervisor, signal.SIGSTOP)
        started = time.monotonic()
        handle.cancel()
        assert isinstance(list(events)[-1], Cancelled)
        assert time.monotonic() - started < 3


def test_step_that_never_ends_is_a_death() -> None:
    with scripted(max_step_s=0.5) as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        assert failure(client.submit(script("begin hang"))) is PoisonRequestError
        assert client.submit(script("ok")).result(20).text == "好"


def test_deadlines_of_queue_and_first_text_hold(client: EngineClient) -> None:
    running = [client.submit(script(f"sleep:0.05 begin say:{i}:200")) for i in range(4)]
    waiting = client.submit(script("ok", start_s=0.3))
    assert failure(waiting) is DeadlineExceededError
    for handle in running:
        handle.cancel()
        list(handle)
    slow = client.submit(script("begin sleep:0.6 say:a:1", first_token_s=0.2))
    assert failure(slow) is DeadlineExceededError
    assert client.submit(script("ok")).result(20).text == "好"


def test_third_death_opens_the_breaker_and_the_cool_down_closes_it(tmp_path: Path) -> None:
    flags = [tmp_path / str(i) for i in range(3)]
    policy = RestartPolicy(first_delay_s=0.02, max_delay_s=0.05, max_deaths=3, window_s=60, cool_down_s=1.5)
    with scripted(restart=policy) as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        for flag in flags[:2]:
            assert client.submit(script(f"begin die-once:{flag}")).result(20).text == "好"
        handle = client.submit(script(f"begin die-once:{flags[2]}"))
        last = list(handle)[-1]
        assert isinstance(last, Failed)
        assert isinstance(last.error, EngineUnavailableError)
        assert last.error.http_status == 503
        assert last.error.hint is not None
        assert "seconds" in last.error.hint
        health = client.health()
        assert (health.state, health.is_ready) == ("unavailable", False)
        assert health.retry_in_s is not None
        assert failure(client.submit(script("ok"))) is EngineUnavailableError
        await_true(lambda: client.health().is_ready, 10)
        assert client.submit(script("ok")).result(20).text == "好"


def test_engine_that_cannot_be_loaded_says_why_and_is_not_tried_again() -> None:
    with scripted({"damaged": True}) as supervisor, EngineClient(supervisor.folder) as client:
        handle = client.submit(script("ok"))
        with pytest.raises(CheckpointError, match="damaged"):
            supervisor.wait_ready(20)
        assert failure(handle) is CheckpointError
        health = client.health()
        assert (health.state, health.num_restarts) == ("failed", 0)
        assert isinstance(health.error, CheckpointError)


def test_process_that_dies_while_loading_opens_the_breaker() -> None:
    policy = RestartPolicy(first_delay_s=0.02, max_delay_s=0.05, cool_down_s=60)
    with scripted({"dies": True}, restart=policy) as supervisor, EngineClient(supervisor.folder) as client:
        assert failure(client.submit(script("ok"))) is EngineUnavailableError
        with pytest.raises(EngineUnavailableError):
            supervisor.wait_ready(20)


def test_requests_wait_while_the_engine_loads_and_health_says_what_it_does() -> None:
    with scripted({"load_s": 0.7}) as supervisor, EngineClient(supervisor.folder) as client:
        handle = client.submit(script("ok"))
        await_true(lambda: (s := client.health().status) is not None and s.loading == "reading the script", 5)
        assert client.health().state == "loading"
        assert handle.result(20).text == "好"


def test_stopping_lets_requests_finish_and_refuses_new_ones(client: EngineClient, supervisor: Supervisor) -> None:
    handle = client.submit(script("sleep:0.05 say:a:10"))
    events = read_until(handle, TextPiece)
    kill(supervisor, signal.SIGTERM)
    await_true(lambda: client.health().state == "draining", 5)
    assert failure(client.submit(script("ok"))) is EngineUnavailableError
    last = list(events)[-1]
    assert isinstance(last, Answer)
    assert last.text == "a" * 10


def test_orderly_end_of_the_process_is_no_death() -> None:
    policy = RestartPolicy(first_delay_s=30, max_deaths=1, cool_down_s=60)
    with scripted(restart=policy) as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        process_id = kill(supervisor, signal.SIGTERM)
        await_true(lambda: not is_alive(process_id), 5)
        assert client.submit(script("ok")).result(10).text == "好"


def test_stop_ends_in_time_with_every_request_ended_and_nothing_left_behind() -> None:
    supervisor = scripted().start()
    supervisor.wait_ready(20)
    process_id = supervisor.process_id
    assert process_id is not None
    with EngineClient(supervisor.folder) as client:
        short = client.submit(script("sleep:0.02 say:a:3"))
        endless = client.submit(script("sleep:0.02 say:b:100000"))
        read = read_until(endless, TextPiece)
        started = time.monotonic()
        supervisor.stop(drain_s=1.0)
        assert time.monotonic() - started < 5
        assert short.result(1).text == "aaa"
        last = list(read)[-1]
        assert isinstance(last, Failed)
        assert isinstance(last.error, EngineUnavailableError | EngineLostError)
        assert last.error.retryable
        assert failure(client.submit(script("ok"))) is EngineUnavailableError
        assert client.health(0.2).state == "stopped"
    assert not is_alive(process_id)
    assert not supervisor.folder.exists()


def test_stop_does_not_wait_for_an_engine_that_still_loads() -> None:
    with scripted({"load_s": 60}) as supervisor, EngineClient(supervisor.folder) as client:
        handle = client.submit(script("ok"))
        await_true(lambda: client.health().state == "loading")
        started = time.monotonic()
        supervisor.stop(drain_s=20)
        assert time.monotonic() - started < 5
        assert failure(handle) is EngineUnavailableError


OWNER = """
import sys, time
from tests.runtime.engine_processes import scripted
supervisor = scripted({settings}).start()
supervisor.wait_ready(20)
print(supervisor.process_id, supervisor.folder, flush=True)
time.sleep(60)
"""


MAIN = """
from kandong.runtime.client import EngineClient
from kandong.runtime.supervisor import run_until_signalled
from tests.runtime.engine_processes import scripted
import sys
supervisor = scripted({settings})
print(supervisor.folder, flush=True)
run_until_signalled(supervisor)
print("drained", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signalled_supervisor_drains_and_leaves_nothing(number: int) -> None:
    command = [sys.executable, "-c", MAIN.replace("{settings}", "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        with EngineClient(folder) as client:
            await_true(lambda: client.health().is_ready)
            handle = client.submit(script("sleep:0.05 say:a:10"))
            events = read_until(handle, TextPiece)
            owner.send_signal(number)
            last = list(events)[-1]
        assert isinstance(last, Answer)
        assert owner.stdout.read().strip() == "drained"
        assert owner.wait(10) == 0
    assert not folder.exists()


def test_supervisor_of_an_engine_that_cannot_load_says_why() -> None:
    command = [sys.executable, "-c", MAIN.replace("{settings}", "{'damaged': True}")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode != 0
    assert "CheckpointError: The script is damaged." in result.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("state", ["idle", "stopped"])
def test_no_process_outlives_a_killed_supervisor(state: str) -> None:
    command = [sys.executable, "-c", OWNER.replace("{settings}", "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        number, folder = owner.stdout.readline().split()
        if state == "stopped":
            os.kill(int(number), signal.SIGSTOP)
        owner.kill()
        took_s = await_true(lambda: not is_alive(int(number)), 5)
    print(f"orphan ended after {took_s * 1e3:.0f} ms")
    with EngineClient(Path(folder)) as client:
        assert not client.health(0.3).is_ready
    for path in Path(folder).iterdir():
        path.unlink()
    Path(folder).rmdir()


def test_kills_at_every_moment_lose_no_request() -> None:
    """Kill at every moment of a request's life: each request ends once, in an answer or a retryable error."""
    with scripted() as supervisor, EngineClient(supervisor.folder) as client:
        supervisor.wait_ready(20)
        for i in range(6):
            handles = [client.submit(script(f"sleep:0.01 begin say:r{i}-{j}:4")) for j in range(6)]
            time.sleep(0.02 * i)
            if supervisor.process_id is not None:
                kill(supervisor)
            for j, handle in enumerate(handles):
                ends = [e for e in handle if isinstance(e, Answer | Cancelled | Failed)]
                assert len(ends) == 1
                if isinstance(ends[0], Answer):
                    assert ends[0].text == f"r{i}-{j}" * 4
                else:
                    assert isinstance(ends[0], Failed)
                    assert isinstance(ends[0].error, EngineLostError)
        assert client.metrics()["client_in_flight"] == 0
