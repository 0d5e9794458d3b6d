"""Our own workloads on a golden checkpoint, small: that they measure what they say, not how fast it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.peers import ours_restarted
from bench.planted import PlantedLanguageModel, planted
from bench.workload_runs import crowds, pictures, writing
from bench.workload_runs.subject import Crowd, Sizes, Subject, WorkloadError, ask, load_engine, picture_file, question
from bench.workload_runs.texts import RECORD, SCHEMA, TRANSCRIPT, prompts
from bench.workloads import ONCE, WORKLOADS
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN

SIZES = Sizes(128, 64, 1, 6, 4, 3, 30)


def restart(checkpoint: Path, features: Path) -> Any:
    """Answer as a new engine over the same folder does; the real bench starts a process for it."""

    def answer(picture: Path, prompt: str) -> Mapping[str, Any]:
        return ours_restarted.answer(load_engine(checkpoint, Precision.F32, features), picture, prompt)

    return answer


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("workloads")
    engine = load_engine(GOLDEN / "tied", Precision.F32, folder / "features")
    return Subject(engine, SIZES, folder / "pictures", restart(GOLDEN / "tied", folder / "features"))


def test_later_questions_compute_only_what_is_new(subject: Subject) -> None:
    found = pictures.measure_follow_up(subject, 0)
    assert found["first_num_stages"] > 0
    for name in ("second", "third"):
        assert found[f"{name}_num_stages"] == 0
        assert 0 < found[f"{name}_num_computed"] < found["first_num_computed"]
        assert found[f"{name}_ms"] > 0


def test_a_known_picture_needs_no_tower_wherever_it_stands(subject: Subject) -> None:
    found = pictures.measure_moved_picture(subject, 0)
    assert [found[f"{name}_num_stages"] for name in ("other_system", "other_order", "restart")] == [0, 0, 0]
    assert found["other_order_origins"] == ["memory"] * 3
    assert found["restart_origins"] == ["disk"]


def test_warming_leaves_only_the_question(subject: Subject) -> None:
    found = pictures.measure_warm_up(subject, 0)
    assert 0 < found["after_ms"] < found["warm_ms"] + found["half_way_ms"]


def test_many_at_once_and_one_alone_are_clocked(subject: Subject) -> None:
    found = crowds.measure_crowd(subject, 0)
    assert found["gain"] == pytest.approx(found["together_tokens_per_s"] / found["alone_tokens_per_s"])
    assert found["alone_tokens_per_s"] > 0


def test_the_running_answer_goes_on_while_a_picture_comes_in(subject: Subject) -> None:
    found = crowds.measure_pauses(subject, 0)
    assert found["is_whole"]
    # Each stage of the tower and each share of the prompt is followed by a token.
    assert found["num_gaps"] >= 3
    assert found["longest_gap_ms"] >= found["median_gap_ms"] > 0


def test_the_transcript_is_copied_with_fewer_steps(subject: Subject) -> None:
    found = writing.measure_copying(subject, 0)
    assert found["num_tokens"] == len(subject.engine.prompts.encode_text(TRANSCRIPT[:30])) + 1
    assert found["num_steps"] < found["num_tokens"] / 4


def test_a_form_of_twelve_fields_needs_fewer_steps(subject: Subject) -> None:
    assert len(SCHEMA["properties"]) == len(RECORD) == 12
    found = writing.measure_form(subject, 0)
    assert 1 < found["plain_tokens_per_step"] < found["drafted_tokens_per_step"]
    assert found["num_forced"] > 0


def test_in_f32_all_answers_are_the_same(subject: Subject) -> None:
    found = crowds.measure_sameness(subject, 0)
    assert [found[f"num_same_{way}"] for way in ("batched", "cached", "drafted")] == [3, 3, 3]
    assert found["gaps"] == []
    assert found["num_cached_tokens"] > 0
    assert found["num_accepted_tokens"] > 0


def test_a_planted_answer_that_is_not_kept_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlantedLanguageModel, "run", lambda self, chunks: self._model.run(chunks))
    with pytest.raises(WorkloadError, match="planted text"):
        writing.measure_copying(subject, 0)


def test_a_planted_engine_leaves_no_wrong_prefix_behind(subject: Subject) -> None:
    model = subject.engine.model
    subject.engine.language.pool.forget_idle()
    engine = Engine(model.lent(model.decoder), subject.engine.options)
    request = question(engine, [], prompts(1)[0], max_tokens=4)
    plain = ask(engine, request).answer
    with planted(engine, request, "好的") as other:
        stopping = question(other, [], prompts(1)[0], sampling=SamplingParameters(max_tokens=20))
        assert ask(other, stopping).answer.text == "好的"
    assert engine.telemetry()["num_kv_blocks_findable"] == 0
    assert ask(engine, request).answer.token_ids == plain.token_ids


def test_a_crowd_hears_of_every_request(subject: Subject) -> None:
    crowd = Crowd.of(subject.engine)
    for name in ("a", "b"):
        crowd.submit(name, question(subject.engine, [], f"问题{name}", max_tokens=3))
    crowd.run()
    first, end = crowd.span_s()
    assert min(crowd.submitted.values()) < first < end
    assert crowd.answer("a").num_generated_tokens == 3


def test_pictures_differ_by_number_and_are_made_once(tmp_path: Path) -> None:
    one, other = picture_file(tmp_path, 32, 0), picture_file(tmp_path, 32, 1)
    assert one.read_bytes() != other.read_bytes()
    assert picture_file(tmp_path, 32, 0) == one


def test_every_workload_is_listed() -> None:
    assert set(WORKLOADS) > ONCE
