"""Decoding in a limited process: the same pictures, and no hostile one that harms more than its process."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.decoding_safety import bombs, giants, judge, mutants, peak_mib, seeds
from kandong.errors import (
    KandongError,
    PictureDamagedError,
    PictureError,
    PictureFormatError,
    PictureLimitError,
    QueueFullError,
)
from kandong.reading.images import decode_picture
from kandong.runtime.decoder import DecoderOptions, SafeDecoder, _result_of
from tests.inspection import GOLDEN
from tests.runtime.engine_processes import is_alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at limits of POSIX")
PICTURES = sorted((GOLDEN / "pictures").glob("*.png"))
REFUSED = {"1x100000", "52800x44", "30000x30000", "2^31", "svg", "html", "empty", "zeros", "33 MiB", "truncated"} | {
    "heif",
    "tiff",
    "eps",
}


@pytest.fixture(scope="module")
def decoder() -> Iterator[SafeDecoder]:
    with SafeDecoder(DecoderOptions(num_children=1)) as made:
        yield made


def test_pictures_are_those_of_the_plain_decoder(decoder: SafeDecoder) -> None:
    for data in [path.read_bytes() for path in PICTURES] + seeds():
        there, here = decoder.decode(data), decode_picture(data)
        assert np.array_equal(there.rgb, here.rgb)
        assert there.digest == here.digest
        assert (there.format, there.num_frames, there.conversions) == (here.format, here.num_frames, here.conversions)
        assert not there.rgb.flags.writeable


def test_errors_are_those_of_the_plain_decoder(decoder: SafeDecoder) -> None:
    for data in (b"", b"<svg>", PICTURES[0].read_bytes()[:200], bytes(1000)):
        with pytest.raises(PictureError) as here:
            decode_picture(data)
        with pytest.raises(type(here.value)) as there:
            decoder.decode(data, field="image")
        assert (there.value.message, there.value.hint, there.value.field) == (
            here.value.message,
            here.value.hint,
            "image",
        )


def test_bombs_end_in_a_picture_or_an_error_within_time_and_memory(decoder: SafeDecoder) -> None:
    files = bombs()
    verdict = judge(decoder, iter(files.items()), print)
    assert verdict.faults == []
    assert sum(verdict.ends.values()) - verdict.ends["picture"] >= len(REFUSED)
    assert verdict.max_child_mib < 1_300
    for name in REFUSED:
        with pytest.raises((PictureFormatError, PictureLimitError, PictureDamagedError)):
            decoder.decode(files[name])
    assert decoder.decode(files["1000 frames"]).num_frames == 1_000


def test_mutants_end_in_a_picture_or_an_error(decoder: SafeDecoder) -> None:
    verdict = judge(decoder, mutants(400, seed=7), print)
    assert verdict.faults == []
    assert sum(verdict.ends.values()) == 400
    assert len(verdict.ends) >= 3  # some are pictures still, some damaged, some of no format


def test_giant_is_decoded_within_bounds(decoder: SafeDecoder) -> None:
    before = peak_mib(os.getpid())
    verdict = judge(decoder, itertools.islice(giants(), 1), print)
    assert (verdict.faults, verdict.ends["picture"]) == ([], 1)
    assert verdict.max_child_mib < 1_300
    assert peak_mib(os.getpid()) - before < 700  # the pixels, twice while they come over


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_has_given_up_what_it_needs_not(decoder: SafeDecoder) -> None:
    decoder.decode(PICTURES[0].read_bytes())
    (number,) = decoder.process_ids()
    limits = Path(f"/proc/{number}/limits").read_text()
    for line in ("Max file size             0", "Max open files            16", "Max core file size        0"):
        assert line in limits
    status = Path(f"/proc/{number}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert resource.prlimit(number, resource.RLIMIT_CPU)[0] < 60
    assert resource.prlimit(number, resource.RLIMIT_AS)[0] < 4 * 2**30


def test_process_that_dies_is_replaced(decoder: SafeDecoder) -> None:
    data = PICTURES[0].read_bytes()
    decoder.decode(data)
    (number,) = decoder.process_ids()
    os.kill(number, signal.SIGKILL)  # and no waiting: it may be found dead in the middle of the next call
    assert decoder.decode(data).format == "PNG"
    assert decoder.process_ids() != [number]


def test_process_that_dies_of_a_picture_gives_a_typed_error_and_is_replaced() -> None:
    with SafeDecoder(DecoderOptions(num_children=1, module="tests.runtime.dying_decoder")) as decoder:
        for command in (b"die", b"exit", b"raise", b"lie", b"lie more", b"nonsense", b"memory"):
            with pytest.raises(PictureError) as caught:
                decoder.decode(command)
            assert "0x" not in caught.value.message
        assert decoder.decode(b"picture").rgb.shape == (2, 3, 3)


@pytest.mark.parametrize("command", [b"hang", b"spin"])
def test_picture_that_takes_too_long_is_given_up(command: bytes) -> None:
    with SafeDecoder(DecoderOptions(num_children=1, wall_s=1.5, module="tests.runtime.dying_decoder")) as decoder:
        started = time.monotonic()
        with pytest.raises(PictureLimitError, match="too long"):
            decoder.decode(command)
        assert time.monotonic() - started < 4
        assert decoder.decode(b"picture").width_px == 3


def test_who_finds_none_free_is_told() -> None:
    options = DecoderOptions(num_children=1, wall_s=2.0, queue_s=0.2, module="tests.runtime.dying_decoder")
    with SafeDecoder(options) as decoder:

        def hold() -> None:
            with pytest.raises(PictureLimitError):
                decoder.decode(b"hang")

        holder = threading.Thread(target=hold)
        holder.start()
        time.sleep(0.3)
        with pytest.raises(QueueFullError):
            decoder.decode(b"picture")
        holder.join()


def test_processes_start_late_are_renewed_and_end() -> None:
    decoder = SafeDecoder(DecoderOptions(num_children=2, recycle_after=3))
    assert decoder.process_ids() == []
    data = PICTURES[0].read_bytes()
    seen = set()
    for _ in range(7):
        decoder.decode(data)
        seen |= set(decoder.process_ids())
    assert len(seen) == 3
    decoder.close()
    decoder.close()
    for number in seen:
        assert not is_alive(number)
    with pytest.raises(KandongError):
        decoder.decode(data)


def test_many_threads_share_two_processes() -> None:
    failures: list[BaseException] = []
    with SafeDecoder() as decoder:

        def work(path: Path) -> None:
            try:
                data = path.read_bytes()
                for _ in range(5):
                    assert decoder.decode(data).digest == decode_picture(data).digest
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(path,)) for path in PICTURES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(decoder.process_ids()) <= 2
    assert failures == []


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"{}"],
        [b"\xff"],
        [b'{"picture":{"height_px":1,"width_px":1,"format":"PNG","num_frames":1,"conversions":[]}}'],
        [b'{"picture":{"height_px":9,"width_px":9,"format":"PNG","num_frames":1,"conversions":[]}}', b"x"],
        [b'{"picture":{"height_px":-1,"width_px":1,"format":"PNG","num_frames":1,"conversions":[]}}', b""],
        [b'{"error":{"code":"key_missing","message":"x"}}'],
        [b'{"error":{"code":"picture_format","message":"' + b"x" * 600 + b'"}}'],
        [b" " * 100_000],
    ],
)
def test_answers_of_a_process_that_was_taken_over_are_only_errors(frames: list[bytes]) -> None:
    assert isinstance(_result_of(frames), PictureDamagedError)
