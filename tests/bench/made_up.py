"""Results of a run that never was, small enough to reckon by hand."""

from __future__ import annotations

from typing import Any


def answer(session: int, round_index: int, side_px: int, ms: float, token_ms: float | None = 100.0) -> dict[str, Any]:
    return {
        "session": session,
        "round": round_index,
        "side_px": side_px,
        "vision_ms": ms,
        "prefill_ms": ms / 2,
        "first_token_ms": 2 * ms,
        "token_ms": token_ms,
        "num_prompt_tokens": 275,
        "num_generated_tokens": 16,
    }


def peer(title: str, answers: list[dict[str, Any]], ready_ms: float = 3000.0, peak_gib: float = 3.0) -> dict[str, Any]:
    starts = [{"ready_ms": ready_ms + extra, "first_answer_ms": 2 * ready_ms} for extra in (0.0, 100.0, 900.0)]
    return {
        "title": title,
        "versions": {"library": "1.2"},
        "about": "as it is",
        "starts": starts,
        "answers": answers,
        "peak_bytes": int(peak_gib * 2**30),
    }


def result() -> dict[str, Any]:
    """Three rounds beside OpenVINO GenAI, one of them slow for both; one round beside transformers."""
    ours = [answer(0, i, 512, ms) for i, ms in enumerate((800.0, 2400.0, 900.0))] + [answer(1, 0, 512, 700.0)]
    genai = [answer(0, i, 512, ms) for i, ms in enumerate((1000.0, 3000.0, 1000.0))]
    return {
        "date": "2026-01-02",
        "command": "python -m bench.engine",
        "minutes": 1.5,
        "machine": {
            "cpu": "a CPU",
            "family": "25",
            "extensions": ["avx2"],
            "num_cpus": 2,
            "memory_gib": 8.0,
            "system": "Linux x86_64",
        },
        "num_rounds": 3,
        "num_tokens": 16,
        "peers": {
            "kandong-bf16": peer("Kandong int8, bf16 compute", ours),
            "genai": peer("OpenVINO GenAI int8", genai, 6000.0, 6.0),
            "transformers-f32": peer("transformers f32", [answer(1, 0, 512, 7000.0, None)], 9000.0),
        },
        "skipped": {"llama.cpp": "llama.cpp Q8_0 is not set up: run `python -m bench.setup_peers llama.cpp`"},
    }
