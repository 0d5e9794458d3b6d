"""Workloads about pictures seen before: further questions, other surroundings, a restart, warming on upload.

Owns: how they are made and clocked. Must not know: bars, peers.
"""

from __future__ import annotations

import time
from typing import Any

from bench.workload_runs.subject import (
    QUESTIONS,
    SYSTEM,
    Crowd,
    Subject,
    WorkloadError,
    ask,
    picture_file,
    question,
    read_picture,
)
from kandong.types import Picture, PictureRef
from kandong.vlm.request import Cancelled, Priority

Measurement = dict[str, Any]


def measure_follow_up(subject: Subject, round_index: int) -> Measurement:
    """Ask three questions in one chat about a picture that no cache has seen."""
    picture = read_picture(picture_file(subject.pictures, subject.sizes.side_px, round_index))
    rounds: list[tuple[str, str]] = []
    found: Measurement = {}
    for name, text in zip(("first", "second", "third"), QUESTIONS, strict=True):
        asked = ask(subject.engine, question(subject.engine, [picture], text, rounds=rounds))
        rounds.append((text, asked.answer.text))
        found[f"{name}_ms"] = asked.first_token_ms
        found[f"{name}_num_stages"] = asked.num_stages
        found[f"{name}_num_computed"] = asked.answer.num_prompt_tokens - asked.answer.counts.num_cached_tokens
    return found


def measure_moved_picture(subject: Subject, round_index: int) -> Measurement:
    """Ask about a picture seen before under another system message, among others, and after a restart."""
    engine, sizes = subject.engine, subject.sizes
    path = picture_file(subject.pictures, sizes.side_px, 0)
    picture = read_picture(path)
    others = [read_picture(picture_file(subject.pictures, sizes.other_side_px, i)) for i in (0, 1)]
    for seen in (picture, *others):
        if _is_new(subject, seen):
            ask(engine, question(engine, [seen], QUESTIONS[0], max_tokens=1))
    # A system message that no prompt began with, so that no prefix helps.
    system = f"第{round_index + 1}次抽查。{SYSTEM}"
    moved = ask(engine, question(engine, [picture], QUESTIONS[0], system=system))
    among = ask(engine, question(engine, [others[0], picture, others[1]], QUESTIONS[0], system="别的次序：" + system))
    restarted = subject.restart(path, QUESTIONS[0])
    asked = {"other_system": moved, "other_order": among}
    return {
        **{f"{name}_ms": a.first_token_ms for name, a in asked.items()},
        **{f"{name}_num_stages": a.num_stages for name, a in asked.items()},
        **{f"{name}_origins": [p.origin for p in a.answer.pictures] for name, a in asked.items()},
        **{f"restart_{name}": value for name, value in restarted.items()},
    }


def _is_new(subject: Subject, picture: Picture) -> bool:
    budget = question(subject.engine, [picture], "").budget
    return subject.engine.needs_pixels(PictureRef(picture.digest, picture.height_px, picture.width_px), budget)


def measure_warm_up(subject: Subject, round_index: int) -> Measurement:
    """Warm a picture and ask when that is done; warm another one and ask half-way."""
    engine, side_px = subject.engine, subject.sizes.side_px
    done, half = (read_picture(picture_file(subject.pictures, side_px, 100 + 2 * round_index + i)) for i in (0, 1))
    since = time.perf_counter()
    ask(engine, question(engine, [done], QUESTIONS[0], prefill_only=True), Priority.WARM_UP)
    warm_ms = (time.perf_counter() - since) * 1e3
    after = ask(engine, question(engine, [done], QUESTIONS[0]))
    crowd = Crowd.of(engine)
    crowd.submit("warm", question(engine, [half], QUESTIONS[0], prefill_only=True), Priority.WARM_UP)
    while time.perf_counter() - crowd.submitted["warm"] < warm_ms / 2e3:
        crowd.step()
    crowd.submit("asked", question(engine, [half], QUESTIONS[0]))
    crowd.run()
    if not isinstance(crowd.events["warm"][-1][1], Cancelled):
        raise WorkloadError("the picture was warm before half of the time")
    return {
        "warm_ms": warm_ms,
        "after_ms": after.first_token_ms,
        "half_way_ms": crowd.answer("asked").timings.first_token_ms,
    }
