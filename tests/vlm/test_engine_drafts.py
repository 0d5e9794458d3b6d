"""Drafts, forms and loop stops on the real graphs: faster, never different; always valid; never without end."""

from __future__ import annotations

import dataclasses
import json
import random

import jsonschema
import pytest

from kandong.errors import GrammarError
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, AnswerForm, Request
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN, golden_engine, golden_request
from tests.repetitions import repetitions
from tests.vlm.fake_model import fake_model
from tests.vlm.random_schemas import SchemaMaker
from tests.vlm.test_schedules import PICTURES, WORDS

NUM_RANDOM_CASES = repetitions(80, 200)
RECORD = {
    "type": "object",
    "properties": {
        "price": {"type": "integer", "minimum": 0, "maximum": 9999},
        "has_gift": {"type": "boolean"},
        "label": {"enum": ["合规", "疑似", "违规"]},
    },
    "required": ["price", "has_gift", "label"],
    "additionalProperties": False,
}


def answer_of(engine: Engine, request: Request) -> Answer:
    *_, answer = engine.generate(request)
    assert isinstance(answer, Answer)
    return answer


def random_case(source: random.Random) -> Request:
    """Make a request whose answer is partly in its sources: they hold what the model itself said before."""
    parts: list[TextPart | PicturePart] = [TextPart("".join(source.choices(WORDS, k=source.randint(1, 12))))]
    pictures = [source.choice(PICTURES)] if source.random() < 0.3 else []
    parts = [*(PicturePart(i) for i in range(len(pictures))), *parts]
    sampling = SamplingParameters(
        max_tokens=source.randint(5, 40),
        temperature=source.choice([0.0, 0.0, 0.8]),
        presence_penalty=source.choice([0.0, 0.5]),
        seed=source.randint(0, 9),
        ignore_eos=True,
    )
    return Request([Message("user", tuple(parts))], pictures, sampling)


def test_drafted_batched_and_cached_answers_equal_plain_ones_in_f32() -> None:
    source = random.Random(5)
    cases = [random_case(source) for _ in range(NUM_RANDOM_CASES)]
    plain = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32))
    expected = []
    for case in cases:
        plain.language.pool.forget_idle()
        expected.append(answer_of(plain, dataclasses.replace(case, drafting=False)))
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32))
    got: dict[str, Answer] = {}
    for i, case in enumerate(cases):
        text = expected[i].text[: source.randint(0, 60)]
        engine.submit(str(i), dataclasses.replace(case, draft_sources=[text, "别的文字"]))
        if i % 7 == 6 or i == len(cases) - 1:
            while engine.has_work:
                got |= {name: event for name, event in engine.step() if isinstance(event, Answer)}
    different = [i for i in range(len(cases)) if got[str(i)].token_ids != expected[i].token_ids]
    assert different == []
    total = {
        name: sum(getattr(answer.counts, name) for answer in got.values())
        for name in ("num_accepted_tokens", "num_cached_tokens", "num_steps")
    }
    assert total["num_accepted_tokens"] > 100
    assert total["num_cached_tokens"] > 0
    assert total["num_steps"] < sum(answer.num_generated_tokens for answer in got.values())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_form_is_kept_and_forced_tokens_cost_no_step(temperature: float) -> None:
    engine = golden_engine("tied")
    sampling = SamplingParameters(max_tokens=200, temperature=temperature, seed=3)
    request = dataclasses.replace(golden_request("square", sampling), form=AnswerForm("json_schema", RECORD))
    plain = answer_of(engine, dataclasses.replace(request, drafting=False))
    assert plain.finish_reason == "stop"
    jsonschema.validate(json.loads(plain.text), RECORD)
    assert plain.counts.num_forced_tokens > 10
    assert plain.counts.num_steps + plain.counts.num_forced_tokens == plain.num_generated_tokens
    drafted = answer_of(engine, request)
    assert drafted.text == plain.text


def test_every_form_gives_what_it_says() -> None:
    engine = golden_engine("tied")
    for form, check in (
        (AnswerForm("choice", ["合规", "违规"]), lambda text: text in ("合规", "违规")),
        (AnswerForm("regex", r"￥\d{2,4}\.\d{2}"), lambda text: text[0] == "￥" and text[-3] == "."),
        (AnswerForm("json_object"), lambda text: isinstance(json.loads(text), dict)),
    ):
        request = dataclasses.replace(golden_request("square", SamplingParameters(max_tokens=300)), form=form)
        answer = answer_of(engine, request)
        if form.kind != "json_object":
            assert answer.finish_reason == "stop"
        assert answer.finish_reason == "length" or check(answer.text), form


def test_answers_that_end_by_themselves_validate_against_random_schemas() -> None:
    engine = Engine(fake_model(200), EngineOptions())
    num_stopped = 0
    for seed in range(60):
        schema = SchemaMaker(seed).root()
        sampling = SamplingParameters(max_tokens=400, temperature=1.0, seed=seed)
        request = Request([Message("user", (TextPart("提取"),))], (), sampling, form=AnswerForm("json_schema", schema))
        try:
            answer = answer_of(engine, request)
        except GrammarError:
            continue
        if answer.finish_reason == "stop":
            num_stopped += 1
            jsonschema.validate(json.loads(answer.text), schema)
    assert num_stopped > 30


def test_a_form_that_cannot_be_kept_is_refused_by_name() -> None:
    engine = golden_engine("tied")
    request = dataclasses.replace(golden_request("square"), form=AnswerForm("regex", "(a"))
    with pytest.raises(GrammarError) as caught:
        next(engine.generate(request))
    assert caught.value.field == "response_format"


def test_an_answer_that_runs_away_is_cut_and_says_so() -> None:
    engine = golden_engine("tied")
    # The only answer that the pattern allows is a loop.
    form = AnswerForm("regex", "好{600}")
    request = dataclasses.replace(golden_request("square", SamplingParameters(max_tokens=500)), form=form)
    answer = answer_of(engine, request)
    assert (answer.finish_reason, answer.stopped_by) == ("length", "repetition")
    assert 64 <= answer.num_generated_tokens < 400
    endless = answer_of(engine, dataclasses.replace(request, stop_loops=False))
    assert (endless.finish_reason, endless.stopped_by, endless.num_generated_tokens) == ("length", None, 500)
