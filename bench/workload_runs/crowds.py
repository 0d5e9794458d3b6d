"""Workloads of several requests at once: their rate together, pauses, and whether they answer as each one alone.

Owns: how they are made and clocked. Must not know: bars, peers.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

from bench.planted import planted
from bench.workload_runs.subject import QUESTIONS, Crowd, Subject, ask, picture_file, question, read_picture
from bench.workload_runs.texts import COUNT, COUNTING, prompts
from kandong.vlm.request import Answer, Request, TextPiece
from kandong.vlm.sampling import SamplingParameters

_TOP = 20


def measure_crowd(subject: Subject, round_index: int) -> dict[str, Any]:
    """Measure the rate of one conversation alone and of many at once, text only; tokens after each one's first."""
    sizes, rates = subject.sizes, []
    for count in (1, sizes.num_at_once):
        crowd = Crowd.of(subject.engine)
        for i in range(count):
            asked = f"第{round_index}轮第{i}位：请写一段话介绍{i + 3}种茶。"
            crowd.submit(str(i), question(subject.engine, [], asked, system=None, max_tokens=sizes.num_tokens))
        crowd.run()
        first, end = crowd.span_s()
        rates.append(count * (sizes.num_tokens - 1) / (end - first))
    return {"alone_tokens_per_s": rates[0], "together_tokens_per_s": rates[1], "gain": rates[1] / rates[0]}


def measure_pauses(subject: Subject, round_index: int) -> dict[str, Any]:
    """Let a new picture come in while an answer is written, and clock the pauses in what its reader sees.

    The answer is planted, so that each token is text that can be shown at once; it goes on until the newcomer ends.
    """
    engine = subject.engine
    number = 200 + round_index
    picture = read_picture(picture_file(subject.pictures, subject.sizes.side_px, number))
    newcomer = question(engine, [picture], QUESTIONS[0], max_tokens=2)
    sampling = SamplingParameters(max_tokens=1000)
    request = question(engine, [], COUNT, system=None, sampling=sampling, drafting=False, stop_loops=False)
    with planted(engine, request, COUNTING) as writing:
        crowd = Crowd.of(writing)
        crowd.submit("writing", request)
        while not any(isinstance(event, TextPiece) for _, event in crowd.events["writing"]):
            crowd.step()
        crowd.submit("newcomer", newcomer)
        since = crowd.submitted["newcomer"]
        while writing.has_work and not _has_ended(crowd, "newcomer"):
            crowd.step()
        is_whole = not _has_ended(crowd, "writing")
        until = crowd.events["newcomer"][-1][0]
        writing.cancel("writing")
        crowd.run()
    times = [time for time, event in crowd.events["writing"] if isinstance(event, TextPiece)]
    last_before = max((time for time in times if time <= since), default=since)
    during = [last_before, *(time for time in times if since < time <= until)]
    gaps_ms = [(b - a) * 1e3 for a, b in itertools.pairwise(during)]
    return {
        "longest_gap_ms": max(gaps_ms),
        "median_gap_ms": sorted(gaps_ms)[len(gaps_ms) // 2],
        "num_gaps": len(gaps_ms),
        "is_whole": is_whole,
        "newcomer_first_ms": crowd.answer("newcomer").timings.first_token_ms,
    }


def _has_ended(crowd: Crowd, name: str) -> bool:
    return any(isinstance(event, Answer) for _, event in crowd.events[name])


def measure_sameness(subject: Subject, round_index: int) -> dict[str, Any]:
    """Answer prompts alone with empty caches, then batched, with a cached prefix, and drafted; count equal answers.

    Where an answer differs, the gap is how much likelier (log-probability) the token alone was than the other one, at
    the first difference: small for a near-tie.
    """
    del round_index
    engine, sizes = subject.engine, subject.sizes
    sampling = SamplingParameters(max_tokens=sizes.num_tokens, ignore_eos=True, top_logprobs=_TOP)
    requests = [
        question(engine, [], asked, system=None, sampling=sampling, drafting=False)
        for asked in prompts(sizes.num_prompts)
    ]
    alone: list[Answer] = []
    cached: list[Answer] = []
    drafted: list[Answer] = []
    for request in requests:
        engine.language.pool.forget_idle()
        alone.append(ask(engine, request).answer)
        cached.append(ask(engine, request).answer)
        sources = (alone[-1].text,)
        engine.language.pool.forget_idle()
        drafted.append(ask(engine, dataclasses.replace(request, drafting=True, draft_sources=sources)).answer)
    together = _together(subject, requests)
    ways = {"batched": together, "cached": cached, "drafted": drafted}
    gaps = [gap for answers in ways.values() for gap in map(_gap, alone, answers) if gap is not None]
    return {
        "num_prompts": len(requests),
        "num_tokens": sizes.num_tokens,
        **{f"num_same_{way}": sum(_gap(*pair) is None for pair in zip(alone, ways[way], strict=True)) for way in ways},
        "num_cached_tokens": sum(answer.counts.num_cached_tokens for answer in cached),
        "num_accepted_tokens": sum(answer.counts.num_accepted_tokens for answer in drafted),
        "gaps": gaps,
    }


def _together(subject: Subject, requests: list[Request]) -> list[Answer]:
    subject.engine.language.pool.forget_idle()
    crowd = Crowd.of(subject.engine)
    for i, request in enumerate(requests):
        crowd.submit(str(i), request)
    crowd.run()
    return [crowd.answer(str(i)) for i in range(len(requests))]


def _gap(alone: Answer, other: Answer) -> float | None:
    """Give the gap at the first difference, None if there is none; beyond the likeliest tokens a lower bound."""
    pairs = zip(alone.logprobs, other.token_ids, strict=True)
    place = next(((chosen, token) for chosen, token in pairs if chosen.token != token), None)
    if place is None:
        return None
    chosen, token = place
    assert chosen.logprob is not None
    return chosen.logprob - dict(chosen.top).get(token, chosen.top[-1][1])
