"""Lines read side by side: as RapidOCR's own decoder reads them, and as one thread reads them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rapidocr import EngineType, RapidOCR

from kandong.reading.images import load_picture
from kandong.reading.ocr import _WEIGHTS, _weights_folder, shared_ocr
from kandong.reading.quads import Rgb, crop_quad
from kandong.reading.recogniser import Recogniser, decode, line_planes

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "card.png"


def crops_of_the_sample() -> list[Rgb]:
    rgb = load_picture(SAMPLE).rgb
    return [crop_quad(rgb, quad) for quad in shared_ocr().detect(rgb).quads]


def test_decoding_gives_the_text_of_rapidocrs_own_decoder() -> None:
    engine = RapidOCR(params={"Global.log_level": "critical", "Rec.engine_type": EngineType.OPENVINO})
    peer = engine._load_rec_model()
    for crop in crops_of_the_sample():
        planes, used = line_planes(crop)
        values = np.array(peer.session(planes[None]))
        [(text, conf)], _ = peer.postprocess_op(values)
        line = decode(values[0], used, peer.postprocess_op.character)
        assert line.text == text
        assert line.conf == pytest.approx(conf, abs=0.05)  # ours counts ￥ and ¥ as one
        centers = [c.center for c in line.characters]
        assert centers == sorted(centers)


def test_lines_side_by_side_are_read_as_one_by_one_and_in_their_order() -> None:
    crops = crops_of_the_sample()
    alone = Recogniser(_weights_folder() / _WEIGHTS["Rec"], num_streams=1)
    one_by_one = [alone.read_one(crop) for crop in crops]
    assert len({line.text for line in one_by_one}) == len(crops) > 2
    assert shared_ocr().read(iter([*crops, *crops[::-1]])) == [*one_by_one, *one_by_one[::-1]]


def test_the_runner_up_is_the_second_largest_of_its_step() -> None:
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.ones(9), size=40).astype(np.float32)
    alphabet = ["", *"abcdefgh"]
    line = decode(values, 1.0, alphabet)
    steps = [
        step
        for step in range(40)
        if values[step].argmax() and (step == 0 or values[step - 1].argmax() != values[step].argmax())
    ]
    assert [round(c.center * 40 - 0.5) for c in line.characters] == steps
    for step, character in zip(steps, line.characters, strict=True):
        second, first = np.argsort(values[step])[-2:]
        assert (character.text, character.runner_up) == (alphabet[first], alphabet[second])
        assert (character.conf, character.runner_up_conf) == pytest.approx((values[step][first], values[step][second]))


def test_a_crop_that_cannot_be_read_raises_in_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        shared_ocr().read([np.zeros((0, 5, 3), dtype=np.uint8)])
    assert len(shared_ocr().read(crops_of_the_sample())) == 5


def test_the_second_choice_is_never_the_first() -> None:
    ocr = shared_ocr()
    rgb = load_picture(SAMPLE).rgb
    for line in ocr.read([crop_quad(rgb, quad) for quad in ocr.detect(rgb).quads]):
        for character in line.characters:
            assert character.runner_up != character.text
            assert 0 <= character.runner_up_conf <= character.conf <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (300, 2), (48, 320)])
def test_crops_of_any_size_can_be_read(size: tuple[int, int]) -> None:
    [line] = shared_ocr().read([np.full((*size, 3), 255, dtype=np.uint8)])
    assert line.text.strip() == ""


def steps(*best: tuple[int, float], full_stop: float = 0.0) -> np.ndarray:
    """Give probabilities over blank, 兑, 换, 。 and A: the likeliest of each step, then two steps without any."""
    values = np.zeros((len(best) + 2, 5), np.float32)
    for step, (index, conf) in enumerate(best):
        values[step, index] = conf
    values[-2:, 0], values[-1, 3] = 0.9 - full_stop, full_stop
    return values


SENTENCE = ((1, 0.9), (2, 0.95), (1, 0.9), (2, 0.9), (1, 0.9))


@pytest.mark.parametrize(
    ("best", "full_stop", "text"),
    [
        (SENTENCE, 0.3, "兑换兑换兑。"),
        (SENTENCE, 0.01, "兑换兑换兑。"),
        (SENTENCE, 0.005, "兑换兑换兑"),  # too little of it
        (tuple((index, 0.999) for index, _ in SENTENCE), 0.3, "兑换兑换兑"),  # sharp print has sharp full stops
        (SENTENCE[:4], 0.3, "兑换兑换"),  # no sentence
        ((*SENTENCE, (4, 0.95)), 0.3, "兑换兑换兑A"),  # no Chinese before it
        (((0, 0.9), (0, 0.9)), 0.3, ""),
    ],
)
def test_a_faint_full_stop_behind_a_worn_sentence_is_kept(
    best: tuple[tuple[int, float], ...], full_stop: float, text: str
) -> None:
    alphabet = ["", "兑", "换", "。", "A"]
    line = decode(steps(*best, full_stop=full_stop), 1.0, alphabet, 3)
    assert line.text == text
    assert decode(steps(*best, full_stop=full_stop), 1.0, alphabet).text == text.rstrip("。")
    if text.endswith("。"):
        assert line.characters[-1].conf == pytest.approx(sum(conf for _, conf in best) / len(best))  # of the rest


def test_what_else_a_doubtful_place_may_hold_is_named() -> None:
    values = np.array([[0.0, 0.6, 0.3, 0.0005, 0.05]], np.float32)
    [found] = decode(values, 1.0, ["", "兑", "换", "。", "A"]).characters
    assert [text for text, _ in found.others] == ["换", "A"]
    sure = decode(np.array([[0.0, 0.99, 0.005, 0, 0]], np.float32), 1.0, ["", "兑", "换", "。", "A"])
    assert sure.characters[0].others == ()
