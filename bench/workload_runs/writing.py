"""Workloads of long answers: copying a transcript that is given as a draft source, JSON of twelve fields.

Owns: how they are made and clocked. Must not know: bars, peers.
"""

from __future__ import annotations

import json
from typing import Any

from bench.planted import planted
from bench.workload_runs.subject import Subject, WorkloadError, ask, question
from bench.workload_runs.texts import RECORD, SCHEMA, TRANSCRIPT
from kandong.vlm.request import Answer, AnswerForm
from kandong.vlm.sampling import SamplingParameters

COPY = "把图里的文字逐字抄下来。"
EXTRACT = "把这段话里的促销信息填进表里。"
# Room for the end token, and for a fault to show as one.
_SPARE_TOKENS = 16


def measure_copying(subject: Subject, round_index: int) -> dict[str, Any]:
    """Copy a transcript without and with drafting; the rate counts tokens after the first."""
    del round_index
    text = TRANSCRIPT[: subject.sizes.num_transcript_characters]
    plain = _write(subject, COPY, text, drafting=False)
    drafted = _write(subject, COPY, text, draft_sources=(text,))
    return {
        "num_tokens": plain.num_generated_tokens,
        "plain_tokens_per_s": _rate(plain),
        "drafted_tokens_per_s": _rate(drafted),
        "speedup": _rate(drafted) / _rate(plain),
        "num_steps": drafted.counts.num_steps,
        "num_accepted": drafted.counts.num_accepted_tokens,
        "num_drafted": drafted.counts.num_drafted_tokens,
    }


def measure_form(subject: Subject, round_index: int) -> dict[str, Any]:
    """Fill twelve fields without and with drafting from the transcript."""
    del round_index
    text = json.dumps(RECORD, ensure_ascii=False, separators=(",", ":"))
    form = AnswerForm("json_schema", SCHEMA)
    plain = _write(subject, EXTRACT, text, form=form, drafting=False)
    drafted = _write(subject, EXTRACT, text, form=form, draft_sources=(TRANSCRIPT,))
    free = _write(subject, EXTRACT, text, drafting=False)
    return {
        "num_tokens": plain.num_generated_tokens,
        "num_forced": plain.counts.num_forced_tokens,
        "plain_tokens_per_step": plain.num_generated_tokens / plain.counts.num_steps,
        "drafted_tokens_per_step": drafted.num_generated_tokens / drafted.counts.num_steps,
        "free_ms": _writing_ms(free),
        "plain_ms": _writing_ms(plain),
        "drafted_ms": _writing_ms(drafted),
    }


def _write(subject: Subject, asked: str, text: str, **fields: Any) -> Answer:
    """Have a text written as the answer; a wrong one is a fault of what is measured."""
    num_tokens = len(subject.engine.prompts.encode_text(text))
    sampling = SamplingParameters(max_tokens=num_tokens + _SPARE_TOKENS)
    request = question(subject.engine, [], asked, system=None, sampling=sampling, **fields)
    with planted(subject.engine, request, text) as engine:
        answer = ask(engine, request).answer
    if answer.text != text:
        raise WorkloadError("the planted text did not come out: places or drafts are wrong")
    return answer


def _writing_ms(answer: Answer) -> float:
    return answer.timings.total_ms - answer.timings.first_token_ms


def _rate(answer: Answer) -> float:
    return (answer.num_generated_tokens - 1) / _writing_ms(answer) * 1e3
