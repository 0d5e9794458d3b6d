"""What hostile pictures do to the service's decoder.

Owns: the hostile pictures, the clocks and the verdict. Must not know: how pictures are decoded.
Run: ``python -m bench.decoding_safety --mutants N [--seed S]``: mutants of small valid files, bombs, giants. It fails
if a picture ends in anything but a picture or an error of ``PictureError``, takes over 10.5 s, or lets memory grow.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from kandong.errors import KandongError, PictureError
from kandong.runtime.decoder import SafeDecoder

MAX_SECONDS = 10.5
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Give a picture's file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _square(side_px: int = 48) -> Image.Image:
    rgb = np.random.default_rng(side_px).integers(0, 256, (side_px, side_px, 3), np.uint8)
    return Image.fromarray(rgb)


def seeds() -> list[bytes]:
    """Give small valid files of every format and of several kinds each."""
    image = _square()
    files = [encode(image, kind) for kind in FORMATS]
    files += [
        encode(image, "JPEG", progressive=True),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image.convert("P"), "PNG"),
        encode(image.convert("RGBA"), "PNG", interlace=1),
        encode(image.convert("RGBA"), "WEBP", lossless=True),
        encode(image, "GIF", save_all=True, append_images=[_square(47), _square(46)]),
    ]
    return files


def mutant(data: bytes, chance: random.Random) -> bytes:
    """Damage a file: flipped bits, other bytes, cuts, doubled and swapped pieces."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(changed))
        kind = chance.randrange(6)
        if kind <= 2:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 3:
            changed[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 4:
            changed[place:place] = changed[place : place + chance.randrange(1, 64)]
        elif len(changed) > 64:
            del changed[place : place + chance.randrange(1, 32)]
    return bytes(changed)


def png_claiming(width_px: int, height_px: int, num_rows: int = 1) -> bytes:
    """Give a small PNG whose header promises more than its data hold."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 + width_px * 3) * num_rows, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Give what is meant to exhaust or to deceive, and is small itself."""
    frames = [Image.new("L", (32, 32), i % 256) for i in range(1_000)]
    return {
        "1x1": encode(Image.new("RGB", (1, 1)), "PNG"),
        "1x100000": png_claiming(1, 100_000, 100_000),
        "52800x44": png_claiming(52_800, 44, 44),
        "30000x30000": png_claiming(30_000, 30_000, 10),
        "2^31": png_claiming(2**31 - 1, 2**31 - 1, 0),
        "1000 frames": encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "html": b"<!doctype html><img src=x onerror=alert(1)>",
        "empty": b"",
        "zeros": bytes(1_000_000),
        "33 MiB": bytes(33 * 2**20),
        "truncated": encode(_square(600), "JPEG")[:-5_000],
        "heif": b"\x00\x00\x00\x18ftypheic" + bytes(64),
        "tiff": b"II*\x00" + bytes(64),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    }


def giants() -> Iterator[tuple[str, bytes]]:
    """Give pictures just under the cap on pixels, in the kinds that take the most time and memory."""
    flat = Image.new("RGB", (6_300, 6_300))
    yield "39.7 megapixels, PNG", encode(flat, "PNG", compress_level=1)
    yield "39.7 megapixels, WebP", encode(flat, "WEBP", lossless=True, quality=0, method=0)
    yield "39.7 megapixels, progressive JPEG", encode(flat, "JPEG", progressive=True)
    yield "39.7 megapixels, CMYK", encode(flat.convert("CMYK"), "JPEG")
    yield "39.7 megapixels, alpha", encode(flat.convert("RGBA"), "PNG", compress_level=1)


@dataclass
class Verdict:
    """What came of many pictures."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    max_ms: float = 0.0
    longest: str = ""
    max_start_ms: float = 0.0
    max_child_mib: float = 0.0
    process_ids: set[int] = field(default_factory=set)

    def to_dict(self) -> dict[str, object]:
        """Give it as JSON values."""
        return {
            "pictures": sum(self.ends.values()),
            "ends": dict(self.ends.most_common()),
            "faults": self.faults,
            "longest_ms": round(self.max_ms),
            "longest": self.longest,
            "longest_with_a_new_process_ms": round(self.max_start_ms),
            "largest_child_mib": round(self.max_child_mib),
            "processes": len(self.process_ids),
        }


def judge(decoder: SafeDecoder, pictures: Iterator[tuple[str, bytes]], say: Callable[[str], None]) -> Verdict:
    """Decode all, and count what came of them."""
    verdict = Verdict()
    for i, (name, data) in enumerate(pictures):
        started = time.perf_counter()
        try:
            decoder.decode(data)
            end = "picture"
        except PictureError as error:
            end = error.code
        except KandongError as error:
            end = f"not a picture's error: {error.code}"
            verdict.faults.append(f"{name}: {end}")
        took_ms = (time.perf_counter() - started) * 1e3
        verdict.ends[end] += 1
        if not set(decoder.process_ids()) <= verdict.process_ids:  # Python's own start is not the picture's time
            verdict.max_start_ms = max(verdict.max_start_ms, took_ms)
            took_ms = 0.0
        if took_ms > verdict.max_ms:
            verdict.max_ms, verdict.longest = took_ms, name
        if took_ms > MAX_SECONDS * 1e3:
            verdict.faults.append(f"{name}: {took_ms:.0f} ms")
        for number in decoder.process_ids():
            verdict.process_ids.add(number)
            verdict.max_child_mib = max(verdict.max_child_mib, peak_mib(number))
        if i % 1_000 == 999:
            say(f"{i + 1} pictures, {verdict.faults or 'no faults'}")
    return verdict


def peak_mib(process_id: int) -> float:
    """Give the most memory that a process has had; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def mutants(num: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Give mutants by number; a number and a seed give the same one again."""
    files = seeds()
    for i in range(num):
        chance = random.Random(seed * 1_000_003 + i)
        yield f"mutant {i} of seed {seed}", mutant(files[i % len(files)], chance)


def at_once(decoder: SafeDecoder, num: int) -> dict[str, object]:
    """Decode giants in many threads; gives what this process and the decoding ones had of memory at most."""
    files = [data for _, data in giants()]
    before_mib = peak_mib(os.getpid())
    started = time.perf_counter()

    def decode(i: int) -> str:
        try:
            return decoder.decode(files[i % len(files)]).format
        except KandongError as error:
            return error.code

    with ThreadPoolExecutor(num) as pool:
        ends = Counter(pool.map(decode, range(num)))
    children_mib = sum(map(peak_mib, decoder.process_ids()))
    return {
        "ends": dict(ends),
        "seconds": round(time.perf_counter() - started, 1),
        "decoding_processes_mib": round(children_mib),
        "this_process_grew_mib": round(peak_mib(os.getpid()) - before_mib),
    }


def main() -> int:
    """Run it; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with SafeDecoder() as decoder:
        verdicts = {
            "mutants": judge(decoder, mutants(options.mutants, options.seed), lambda t: print(t, file=sys.stderr)),
            "bombs": judge(decoder, iter(bombs().items()), lambda t: print(t, file=sys.stderr)),
            "giants": judge(decoder, giants(), lambda t: print(t, file=sys.stderr)),
        }
    told: dict[str, object] = {name: verdict.to_dict() for name, verdict in verdicts.items()}
    with SafeDecoder() as decoder:
        told["eight at once"] = at_once(decoder, 8)
    print(json.dumps(told, indent=1, ensure_ascii=False))
    return 1 if any(verdict.faults for verdict in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
