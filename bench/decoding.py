"""What grammars and drafts save, and what they cost, without a model: a known answer is written again token by token.

Owns: a twelve-field answer, the counting of steps, and the timings of masks and hostile schemas. Must not know: graphs.
Run: ``python -m bench.decoding [TOKENIZER_JSON]``; without a file Qwen's vocabulary from the package ``dashscope``.
The speed is a model of decoding: steps weighted by ``VerifyCost``, with every right draft accepted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llguidance import LLMatcher
from tokenizers import Tokenizer

from bench.checkpoint_tokenizer import NUM_QWEN_TOKENS, find_qwen_ranks, merges_from_ranks, read_ranks, tokenizer_json
from kandong.vlm.drafts import LookupDrafter, VerifyCost, draft_within
from kandong.vlm.grammar import CompiledGrammar, GrammarFactory
from kandong.vlm.grammar_source import property_openings
from kandong.vlm.loops import LoopDetector
from kandong.vlm.sampling import Sampler, SamplingParameters

_NUMBER, _TEXT = {"type": ["number", "null"]}, {"type": ["string", "null"]}
OFFER_FIELDS: dict[str, Any] = {
    "brand": _TEXT,
    "product_name": _TEXT,
    "price": _NUMBER,
    "list_price": _NUMBER,
    "discount_text": _TEXT,
    "promotion_type": {"enum": ["满减", "折扣", "买赠", "秒杀", None]},
    "start_date": _TEXT,
    "end_date": _TEXT,
    "gift_name": _TEXT,
    "gift_quantity": {"type": ["integer", "null"]},
    "channel": {"enum": ["线上", "线下", "都有", None]},
    "is_advertisement": {"type": "boolean"},
}
OFFER_SCHEMA = {
    "type": "object",
    "properties": OFFER_FIELDS,
    "required": list(OFFER_FIELDS),
    "additionalProperties": False,
}
ANSWERS: dict[str, list[Any]] = {
    "all filled": [
        *(
            "某某茶饮",
            "柠檬水 大杯",
            39.9,
            59,
            "第二杯半价",
            "买赠",
            "2026-11-01",
            "2026-11-11",
            "帆布袋",
            1,
            "都有",
            True,
        )
    ],
    "a poster": [
        "某某茶饮",
        "柠檬水 大杯",
        6.9,
        None,
        "第二杯半价",
        "折扣",
        None,
        "2026-11-11",
        None,
        None,
        "线下",
        True,
    ],
    "all null": [None] * 11 + [False],
}
PICTURE_LINES = "某某茶饮\n柠檬水 大杯 39.9元\n原价59\n第二杯半价\n2026-11-01至2026-11-11\n买赠 帆布袋一个\n线上线下"
EOS_NAMES = ("<|im_end|>", "<|endoftext|>")


def answer_text(values: list[Any]) -> str:
    """Write the twelve fields as the grammar has them, without blanks."""
    return json.dumps(dict(zip(OFFER_FIELDS, values, strict=True)), ensure_ascii=False, separators=(",", ":"))


@dataclass
class Replay:
    """How an answer was written: tokens, those forced, steps of the model, and their cost in steps over one token."""

    num_tokens: int
    num_forced: int = 0
    num_steps: int = 0
    num_drafted: int = 0
    num_accepted: int = 0
    cost: float = 0.0


def replay(ids: list[int], grammar: CompiledGrammar, drafter: LookupDrafter | None) -> Replay:
    """Write ``ids`` with forced tokens and, given a drafter, with drafts; a draft is accepted as far as it is right."""
    state, done, cost = grammar.start(), Replay(len(ids)), VerifyCost()
    place = 0
    while place < len(ids):
        forced = state.forced_tokens()
        place += len(forced)
        done.num_forced += len(forced)
        for token in forced:
            state.accept(token)
        if drafter is not None:
            drafter.extend(forced)
        if state.is_complete:
            break
        draft = draft_within(drafter, state, 15) if drafter is not None else []
        num_right = next((i for i, (a, b) in enumerate(zip(draft, ids[place:], strict=False)) if a != b), len(draft))
        written = ids[place : place + num_right + 1]
        for token in written:
            state.accept(token)
        if drafter is not None:
            drafter.report(len(draft), num_right)
            drafter.extend(written)
        place += len(written)
        done.num_steps += 1
        done.num_drafted += len(draft)
        done.num_accepted += num_right
        done.cost += cost.ratio(1 + len(forced) + len(draft))
    return done


def median_ms(run: Callable[[], object], rounds: int) -> float:
    """Time a call; gives the median in milliseconds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1e3)
    return float(np.median(times))


def print_answers(grammar: CompiledGrammar, encode: Callable[[str], list[int]]) -> None:
    """Print what is forced and what drafts save, for each answer and kind of draft."""
    picture = encode(PICTURE_LINES)
    openings = [encode(text) for text in property_openings(OFFER_SCHEMA)]
    for name, values in ANSWERS.items():
        ids = encode(answer_text(values))
        drafters = {
            "forced only": None,
            "and what is likely forced": LookupDrafter([], []),
            "and the picture's text": LookupDrafter([picture], []),
            "and the schema's openings": LookupDrafter([picture, *openings], []),
        }
        for kind, drafter in drafters.items():
            r = replay(ids, grammar, drafter)
            share, per_step, speed = r.num_forced / r.num_tokens, r.num_tokens / r.num_steps, r.num_tokens / r.cost
            print(
                f"{name}, {kind}: {r.num_tokens} tokens, {share:.2f} forced, {r.num_steps} steps, "
                f"{per_step:.2f} tokens a step, {r.num_accepted} of {r.num_drafted} drafted right, x{speed:.2f}"
            )


def print_costs(factory: GrammarFactory, grammar: CompiledGrammar, vocab_size: int) -> None:
    """Print the times of masks, starts and loops, and of schemas that the limits refuse."""
    state, logits = grammar.start(), np.zeros(vocab_size, np.float32)
    for token in state.forced_tokens():
        state.accept(token)
    print(f"mask over {vocab_size:,} tokens: {median_ms(lambda: state.apply_mask(logits), 50):.2f} ms")
    print(f"start of a compiled grammar: {median_ms(grammar.start, 50):.3f} ms")
    detector = LoopDetector()
    print(f"loop detector: {median_ms(lambda: [detector.push(i) for i in range(1_000)], 5):.1f} us a token")
    tokenizer = factory._make_tokenizer()

    def compile_unchecked(schema: dict[str, Any]) -> None:
        LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(json.dumps(schema)), log_level=0).compute_ff_bytes()

    crossed = {
        k: {"allOf": [{"type": "string", "pattern": f"a.{{{20 + i}}}b"} for i in range(k)]} for k in (10, 16, 20)
    }
    unchecked: dict[str, dict[str, Any]] = {f"{k} patterns joined by allOf": schema for k, schema in crossed.items()}
    unchecked["5,000 optional properties"] = {"type": "object", "properties": {f"p{i}": {} for i in range(5_000)}}
    unchecked["a pattern of a million repeats"] = {"type": "string", "pattern": "^(a{1000}){1000}$"}
    for name, schema in unchecked.items():
        print(f"without our limits, {name}: {median_ms(lambda s=schema: compile_unchecked(s), 1):,.0f} ms")  # type: ignore[misc]


def print_sampling(vocab_size: int) -> None:
    """Print the time of one choice from logits that fall off about as a language model's do."""
    random = np.random.default_rng(0)
    logits = (12 - 2.2 * np.log(np.arange(1, vocab_size + 1))).astype(np.float32)
    random.shuffle(logits)
    kinds: dict[str, dict[str, Any]] = {
        "greedy": {"temperature": 0.0},
        "greedy with five log-probabilities": {"temperature": 0.0, "top_logprobs": 5},
        "temperature": {},
        "top_p 0.8": {"top_p": 0.8},
        "top_k 20, top_p 0.8": {"top_k": 20, "top_p": 0.8},
    }
    for name, options in kinds.items():
        sampler = Sampler(SamplingParameters(**{"temperature": 0.7, "seed": 0} | options), [])
        print(f"choosing, {name}: {median_ms(lambda s=sampler: s.choose(logits), 20):.2f} ms")  # type: ignore[misc]
    print(f"sorting the whole vocabulary: {median_ms(lambda: np.argsort(-logits, kind='stable'), 10):.2f} ms")


def main() -> None:
    """Print everything for one tokenizer."""
    parser = argparse.ArgumentParser(description="Steps that grammars and drafts save, and what they cost.")
    parser.add_argument("tokenizer", nargs="?", type=Path, help="a tokenizer.json; default: Qwen's own vocabulary")
    path = parser.parse_args().tokenizer
    if path is not None:
        specification = json.loads(path.read_text("utf-8"))
    elif (ranks := find_qwen_ranks()) is not None:
        tokens = read_ranks(ranks)
        specification = tokenizer_json(tokens, merges_from_ranks(tokens), num_ordinary_tokens=NUM_QWEN_TOKENS)
    else:
        parser.error("install the package dashscope, which holds Qwen's vocabulary, or name a tokenizer.json")
    plain = Tokenizer.from_str(json.dumps(specification | {"added_tokens": [], "post_processor": None}))
    controls = {token["content"]: token["id"] for token in specification["added_tokens"]}
    # The published models pad their logits too, Qwen3-VL-2B from 151,669 to 151,936.
    vocab_size = -(-(max(controls.values()) + 1) // 256) * 256
    factory = GrammarFactory(specification, [controls[name] for name in EOS_NAMES if name in controls], vocab_size)
    started = time.perf_counter()
    grammar = factory.compile_json_schema(OFFER_SCHEMA)
    print(f"tokenizer and first grammar: {time.perf_counter() - started:.1f} s")
    print_answers(grammar, lambda text: list(plain.encode(text, add_special_tokens=False).ids))
    print_costs(factory, grammar, vocab_size)
    print_sampling(vocab_size)


if __name__ == "__main__":
    main()
