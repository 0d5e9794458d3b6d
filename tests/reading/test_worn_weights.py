"""The weights for worn lines: they fit the graph, speak together with the bundled ones, and read worn lines better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
from rapidfuzz.distance import Levenshtein
from safetensors.numpy import load_file, save_file

from bench.cards.fonts import FontMissingError
from bench.cards.make import make_card
from bench.quality_metrics import folded
from kandong.errors import ModelError
from kandong.reading import ocr as ocr_module
from kandong.reading import worn_weights
from kandong.reading.ocr import Ocr, recogniser_weights, shared_ocr
from kandong.reading.quads import Rgb, crop_quad
from kandong.reading.recogniser import Recogniser, alphabet_of, decode, line_planes
from kandong.reading.worn_weights import put_weights

SEEDS = range(7000, 7010)  # of development, never those of a record


def bundled() -> openvino.Model:
    return openvino.Core().read_model(recogniser_weights())


def constants_of(model: openvino.Model) -> dict[str, np.ndarray]:
    constants = (op for op in model.get_ordered_ops() if op.get_type_name() == "Constant")
    return {op.get_friendly_name(): np.array(op.data) for op in constants}


def worn_crops() -> list[tuple[Rgb, str]]:
    """Give lines of pictures that were posted on several times, where they truly stand, with what they say."""
    crops = []
    for seed in SEEDS:
        try:
            card = make_card("jpeg", seed)
        except FontMissingError as error:
            pytest.skip(str(error))
        rgb = np.asarray(card.image.convert("RGB"))
        crops += [(crop_quad(rgb, np.array(line.quad, np.float32), margin=0.15), line.text) for line in card.lines]
    return crops


def test_the_file_changes_much_of_the_graph_but_not_what_names_the_characters() -> None:
    before, model = constants_of(bundled()), bundled()
    put_weights(model)
    after = constants_of(model)
    changed = load_file(worn_weights.worn_weights())
    num_names = len(alphabet_of(model))
    assert len(changed) > 100
    assert all(values.shape[-1] != num_names for values in changed.values())
    names = [name for name, values in before.items() if values.shape and values.shape[-1] == num_names]
    assert len(names) == 2
    assert all((after[name] == before[name]).all() for name in names)
    held = {values.tobytes() for values in after.values()}
    assert all(values.astype(np.float32).tobytes() in held for values in changed.values())
    assert sum(before[name].tobytes() not in held for name in changed) > 100


def test_both_together_are_the_weighted_geometric_mean_of_what_each_of_them_says() -> None:
    first = Recogniser(recogniser_weights(), num_streams=1)
    trained = Recogniser(recogniser_weights(), num_streams=1, change=put_weights)
    crops = [crop for crop, _ in worn_crops()[:12]]
    expected = []
    for crop in crops:
        _, used = line_planes(crop)
        values = []
        for one in (first, trained):
            with one._inferred(crop) as (own, share):
                assert share == used
                values.append(np.array(own))
        assert values[0].shape == values[1].shape
        logs = [np.log(np.maximum(one.astype(np.float64), 1e-7)) for one in values]
        mean = np.exp(0.35 * logs[0] + 0.65 * logs[1]) * np.where(np.arange(values[0].shape[1]) == 0, 0.2, 1.0)
        mean /= mean.sum(axis=1, keepdims=True)
        expected.append(decode(mean.astype(np.float32), used, first._alphabet, first._full_stop))
    together = shared_ocr().read_worn(crops)
    assert [line.text for line in together] == [line.text for line in expected]
    # Here each of 18,000 characters holds at least a ten-millionth, there only those that are likely anywhere.
    assert [line.conf for line in together] == pytest.approx([line.conf for line in expected], abs=0.02)


def test_unsure_lines_are_read_with_fewer_wrong_characters() -> None:
    crops = worn_crops()
    first = shared_ocr().read(crop for crop, _ in crops)
    unsure = [i for i, line in enumerate(first) if line.conf < 0.98]
    again = shared_ocr().read_worn(crops[i][0] for i in unsure)
    before = sum(Levenshtein.distance(folded(crops[i][1]), folded(first[i].text)) for i in unsure)
    after = sum(
        Levenshtein.distance(folded(crops[i][1]), folded(line.text)) for i, line in zip(unsure, again, strict=True)
    )
    assert before > 20
    assert after <= 0.9 * before


def test_a_file_that_does_not_fit_or_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    values = load_file(worn_weights.worn_weights())
    name = next(iter(values))
    file = tmp_path / "weights.safetensors"
    for wrong in ({"no_such_constant": values[name]}, {name: values[name][None]}):
        save_file(wrong, file)
        with pytest.raises(ModelError, match="do not fit") as caught:
            put_weights(bundled(), file)
        assert "pip install" in str(caught.value.hint)
    file.write_bytes(b"\x10" + bytes(7) + b"no header at all")
    with pytest.raises(ModelError, match="damaged"):
        put_weights(bundled(), file)


def test_a_missing_file_is_named_when_reading_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worn_weights, "_FILE", tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match="missing"):
        Ocr()
    with pytest.raises(ModelError, match="missing"):
        ocr_module.weights_bytes()
