"""A client and a living engine process: requests, pictures, cancelling, health, and bytes from strangers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kandong.errors import (
    CancelledError,
    EngineUnavailableError,
    InputError,
    KandongError,
    PromptTooLongError,
    QueueFullError,
)
from kandong.runtime.channel import read_state
from kandong.runtime.client import ClientOptions, EngineClient
from kandong.runtime.messages import Cancel, PictureHeader, Ping, Pixels, Rejected, Status, Submit, decode_for_client
from kandong.runtime.messages import encode as encoded
from kandong.runtime.supervisor import Supervisor
from kandong.runtime.wire import reference, request_to_wire
from kandong.types import PictureRef
from kandong.vlm.request import Answer, Cancelled, Failed, Priority, Queued, Request, TextPiece
from tests.runtime.engine_processes import await_true, cpu_seconds, picture, script, scripted


@pytest.fixture(scope="module", params=["ipc", "tcp"])
def supervisor(request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    with scripted(transport=request.param) as running:
        running.wait_ready(20)
        yield running
        assert running.status is not None
        assert running.status.generation == 1, "the process died of a test that must not kill it"


@pytest.fixture
def client(supervisor: Supervisor) -> Iterator[EngineClient]:
    with EngineClient(supervisor.folder) as connected:
        yield connected


def ask(client: EngineClient, words: str, *pictures: Any) -> Answer:
    return client.submit(script(words, *pictures)).result(20)


def test_events_come_in_order_and_end_with_the_answer(client: EngineClient) -> None:
    events = list(client.submit(script("say:价格:3")))
    assert "".join(e.text for e in events if isinstance(e, TextPiece)) == "价格价格价格"
    assert isinstance(events[-1], Answer)
    assert sum(isinstance(e, Answer | Cancelled | Failed) for e in events) == 1


def test_many_threads_share_one_client_and_everyone_gets_his_own(client: EngineClient) -> None:
    answers: dict[int, str] = {}

    def work(i: int) -> None:
        answers[i] = ask(client, f"say:n{i}:{1 + i % 3}").text

    threads = [threading.Thread(target=work, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {i: f"n{i}" * (1 + i % 3) for i in range(40)}


def test_waiting_requests_hear_their_position(client: EngineClient) -> None:
    handles = [client.submit(script("sleep:0.05 say:a:3")) for _ in range(6)]
    last = list(handles[-1])
    for handle in handles:
        handle.cancel()
    assert next(e for e in last if isinstance(e, Queued)).predicted_wait_ms >= 0


def test_client_name_and_priority_arrive(client: EngineClient) -> None:
    assert client.submit(script("who"), client="u7", priority=Priority.BATCH).result(20).text == "u7/1"


def test_refusal_of_the_engine_arrives_as_the_error_it_was(client: EngineClient) -> None:
    (event,) = client.submit(script("refuse"))
    assert isinstance(event, Failed)
    with pytest.raises(PromptTooLongError) as caught:
        list(client.generate(script("refuse")))
    assert (caught.value.field, caught.value.hint) == ("messages", "Shorten it.")


def test_pixels_travel_once(client: EngineClient) -> None:
    shown = picture(os.getpid() + threading.get_ident() % 1000)
    before = seen(client)
    for _ in range(3):
        assert ask(client, "ok", shown).pictures[0].width_px == 60
    assert ask(client, "ok", reference(shown)).pictures[0].height_px == 40
    assert seen(client) == before + 1


def seen(client: EngineClient) -> float:
    status = client.health().status
    assert status is not None
    return status.telemetry.get("pictures_seen", 0.0)


def test_picture_known_by_digest_only_is_an_error_if_nobody_has_it(client: EngineClient) -> None:
    with pytest.raises(InputError, match="forgotten") as caught:
        ask(client, "ok", PictureRef("0" * 64, 8, 8))
    assert caught.value.field == "pictures"


def test_large_picture_arrives_whole(client: EngineClient) -> None:
    large = picture(3, 3000, 4000)
    assert ask(client, "ok", large, picture(4)).pictures[0].width_px == 4000


def test_health_answers_within_50_ms_while_a_step_runs(client: EngineClient) -> None:
    handle = client.submit(script("sleep:0.6 say:a:2"))
    await_true(lambda: (s := client.health().status) is not None and s.step_ms > 0)
    times_ms = []
    for _ in range(10):
        started = time.perf_counter()
        health = client.health()
        times_ms.append((time.perf_counter() - started) * 1e3)
        assert health.is_ready
    handle.cancel()
    # The middle one: another program may take the processor in between.
    assert sorted(times_ms)[5] < 50, times_ms


def test_cancel_at_a_tenth_of_a_second_stops_the_work(client: EngineClient) -> None:
    handle = client.submit(script("sleep:0.1 say:a:500"))
    time.sleep(0.1)
    handle.cancel()
    handle.cancel()
    started = time.monotonic()
    assert isinstance(list(handle)[-1], Cancelled)
    assert time.monotonic() - started < 1
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 0, 1)
    with pytest.raises(CancelledError):
        handle.result()


def test_closing_the_iterator_stops_the_work(client: EngineClient) -> None:
    events = client.generate(script("sleep:0.05 say:a:500"))
    assert isinstance(next(events), TextPiece)
    events.close()  # type: ignore[attr-defined]
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 0, 2)


def test_closing_the_client_ends_its_requests_on_both_sides(supervisor: Supervisor, client: EngineClient) -> None:
    other = EngineClient(supervisor.folder)
    handle = other.submit(script("sleep:0.05 say:a:500"))
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 1)
    other.close()
    with pytest.raises(EngineUnavailableError):
        handle.result(1)
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 0, 2)
    with pytest.raises(EngineUnavailableError):
        other.submit(script("ok"))
    other.close()


LONE_CLIENT = """
import sys, time
from pathlib import Path
from kandong.runtime.client import EngineClient
from tests.runtime.engine_processes import script
client = EngineClient(Path(sys.argv[1]))
handle = client.submit(script("sleep:0.05 say:a:5000"))
print(next(iter(handle)), flush=True)
time.sleep(60)
"""


def test_work_of_a_client_that_died_is_stopped(supervisor: Supervisor, client: EngineClient) -> None:
    command = [sys.executable, "-c", LONE_CLIENT, str(supervisor.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lone:
        assert lone.stdout is not None
        assert "TextPiece" in lone.stdout.readline()
        lone.kill()
    await_true(lambda: (s := client.health().status) is not None and s.num_in_engine == 0, 2)
    assert ask(client, "ok").text == "好"


def test_too_many_and_too_long_requests_are_refused_at_once(supervisor: Supervisor) -> None:
    with EngineClient(supervisor.folder, ClientOptions(max_in_flight=2)) as small:
        handles = [small.submit(script("sleep:0.05 say:a:500")) for _ in range(2)]
        with pytest.raises(QueueFullError) as caught:
            small.submit(script("ok"))
        assert caught.value.retryable
        for handle in handles:
            handle.cancel()
            assert isinstance(list(handle)[-1], Cancelled)
        with pytest.raises(InputError, match="bytes of text"):
            small.submit(script("字" * 2_000_000))
        with pytest.raises(InputError, match="257 pictures"):
            small.submit(script("ok", *[picture()] * 257))
        assert ask(small, "ok").text == "好"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_idle_process_and_client_use_no_processor(supervisor: Supervisor, client: EngineClient) -> None:
    assert ask(client, "ok").text == "好"
    assert supervisor.process_id is not None
    before = cpu_seconds(supervisor.process_id), time.process_time()
    time.sleep(1.5)
    after = cpu_seconds(supervisor.process_id), time.process_time()
    # Two ticks of the kernel's clock for the process; this one holds supervisor, client and pytest.
    assert after[0] - before[0] <= 0.03
    assert after[1] - before[1] <= 0.075


def test_metrics_count_what_happened(client: EngineClient) -> None:
    ask(client, "ok")
    metrics = client.metrics()
    assert metrics["client_submitted"] == metrics["client_finished"] == 1
    assert metrics["client_in_flight"] == metrics["client_failed"] == 0
    assert client.health().is_ready
    assert client.metrics()["engine_steps"] > 0


@contextlib.contextmanager
def stranger(supervisor: Supervisor, *, has_keys: bool = True) -> Iterator[zmq.Socket[bytes]]:
    """Connect as any program of this user could."""
    state = read_state(supervisor.folder)
    assert state is not None
    assert state.endpoint is not None
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        if state.keys is not None:
            public, secret = zmq.curve_keypair()
            dealer.curve_serverkey = state.keys.server_public.encode()
            dealer.curve_publickey = state.keys.client_public.encode() if has_keys else public
            dealer.curve_secretkey = state.keys.client_secret.encode() if has_keys else secret
        dealer.connect(state.endpoint)
        yield dealer


def answer_to(dealer: zmq.Socket[bytes]) -> Any:
    assert dealer.poll(5000), "no answer"
    return decode_for_client(dealer.recv())


BODY, _ = request_to_wire(script("ok"))
HOSTILE: list[list[bytes]] = [
    [b""],
    [b"\xff" * 100],
    [
        b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."
    ],
    [b"\x91" * 50_000],
    [os.urandom(5 * 2**20)],
    [encoded(Ping()), b"more"],
    [encoded(Ping()), b"more", b"and more"],
    [encoded(Cancel("x"))[:-1]],
    [encoded(Submit("x", "ocr", BODY))],
    [encoded(Submit("x", "generate", {}))],
    [encoded(Submit("x", "generate", BODY | {"messages": 5}))],
    [encoded(Submit("x", "generate", BODY | {"__class__": "os"}))],
    [encoded(Submit("x" * 65, "generate", BODY))],
]


@pytest.mark.parametrize("frames", HOSTILE, ids=lambda f: f"{f[0][:24]!r}-{len(f)}")
def test_hostile_messages_are_answered_with_an_error(supervisor: Supervisor, frames: list[bytes]) -> None:
    with stranger(supervisor) as dealer:
        dealer.send_multipart(frames)
        reply = answer_to(dealer)
        assert isinstance(reply, Rejected)
        assert reply.error["code"] == "invalid_request"
        dealer.send(encoded(Ping()))
        assert isinstance(answer_to(dealer), Status)


def test_pixels_that_are_not_what_was_announced_fail_the_request(supervisor: Supervisor) -> None:
    honest = picture(99)
    header = PictureHeader(honest.digest, 40, 60)
    with stranger(supervisor) as dealer:
        for pixels in (bytes(3 * 40 * 60), bytes(5)):
            dealer.send(encoded(Submit("p", "generate", BODY, [header])))
            assert type(answer_to(dealer)).__name__ == "PixelsNeeded"
            dealer.send_multipart([encoded(Pixels("p", header)), pixels])
            told = answer_to(dealer)
            if isinstance(told, Rejected):
                assert "as many" in told.error["message"]
                dealer.send(encoded(Cancel("p")))
                assert "Cancelled" in str(answer_to(dealer))
            else:
                assert "announced" in str(told)
        dealer.send_multipart([encoded(Pixels("nobody asked", header)), honest.rgb.tobytes()])
        dealer.send(encoded(Ping()))
        assert isinstance(answer_to(dealer), Status)


def test_an_id_that_is_under_way_is_refused_and_the_first_goes_on(supervisor: Supervisor) -> None:
    slow, _ = request_to_wire(script("sleep:0.1 say:a:2"))
    with stranger(supervisor) as dealer:
        dealer.send(encoded(Submit("same", "generate", slow)))
        dealer.send(encoded(Submit("same", "generate", slow)))
        told = [answer_to(dealer) for _ in range(4)]
    assert sum(isinstance(t, Rejected) for t in told) == 1
    assert "Answer" in str(told)


def test_bytes_that_are_not_zeromq_at_all_harm_nobody(supervisor: Supervisor, client: EngineClient) -> None:
    state = read_state(supervisor.folder)
    assert state is not None
    assert state.endpoint is not None
    if state.endpoint.startswith("ipc://"):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(state.endpoint.removeprefix("ipc://"))
    else:
        host, port = state.endpoint.removeprefix("tcp://").split(":")
        raw = socket.create_connection((host, int(port)))
    with raw:
        with contextlib.suppress(OSError):
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + os.urandom(100_000))
        assert ask(client, "ok").text == "好"


def test_only_the_owner_reaches_the_socket(supervisor: Supervisor) -> None:
    state = read_state(supervisor.folder)
    assert state is not None
    if state.keys is None:
        assert supervisor.folder.stat().st_mode & 0o777 == 0o700
        return
    assert (supervisor.folder / "engine.json").stat().st_mode & 0o777 == 0o600
    with stranger(supervisor, has_keys=False) as dealer:
        dealer.send(encoded(Ping()))
        assert not dealer.poll(500)
    assert state.endpoint is not None
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.DEALER) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        plain.connect(state.endpoint)
        plain.send(encoded(Ping()))
        assert not plain.poll(500)


def test_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(InputError, match="other users"):
        EngineClient(tmp_path)


def test_client_made_before_a_fork_says_so(client: EngineClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(KandongError, match="fork"):
        client.submit(Request([]))
