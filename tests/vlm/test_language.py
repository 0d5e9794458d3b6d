"""The paged language graph against its slow twin from public operators."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from kandong.vlm.checkpoint import EMBEDDING, Checkpoint, to_f32
from kandong.vlm.decoder import Chunk
from kandong.vlm.device import Device, Precision, resolve_numerics, run_in_place
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.language import build_language_model
from kandong.vlm.positions import token_rotary_tables
from kandong.vlm.weights import CheckpointWeights
from tests.inspection import CHECKPOINTS, GOLDEN, decoder_of, golden_engine, tower_of
from tests.plain_attention import PlainAttention, causal_mask

NUM_TOKENS = 75  # three blocks, the last one partly filled


def plain_logits(checkpoint_name: str, ids: list[int], positions: np.ndarray) -> np.ndarray:
    """Run the twin over a whole sequence; logits of every token."""
    checkpoint = Checkpoint(GOLDEN / checkpoint_name)
    config = checkpoint.config
    device = Device(resolve_numerics(Precision.F32))
    weights = CheckpointWeights(checkpoint)  # held: the graph goes on reading its arrays
    model = build_language_model(config, weights, device.numerics.weights, PlainAttention(config.text))
    request = device.compile(model).create_infer_request()
    cos, sin = token_rotary_tables(positions, config.text)
    taps = len(config.vision.deepstack_visual_indexes)
    inputs = {
        "embeds": to_f32(checkpoint.take(EMBEDDING)[ids]),
        "deepstack": np.zeros((taps, len(ids), config.text.hidden_size), np.float32),
        "cos": cos,
        "sin": sin,
        "sample_rows": np.arange(len(ids), dtype=np.int32),
        "mask": causal_mask(len(ids)),
    }
    run_in_place(request, inputs)
    logits: np.ndarray = request.get_tensor("logits").data.copy()
    return logits


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_paged_graph_equals_its_plain_twin(checkpoint: str) -> None:
    random = np.random.default_rng(7)
    ids = random.integers(0, 256, NUM_TOKENS).tolist()
    positions = np.cumsum(random.integers(0, 3, (3, NUM_TOKENS)), axis=1)
    expected = plain_logits(checkpoint, ids, positions)
    engine = golden_engine(checkpoint)
    decoder, pool = decoder_of(engine), engine.language.pool
    blocks = pool.allocate(num_blocks_for(NUM_TOKENS))
    assert blocks is not None
    # Scattered blocks in one prefill of 50, then pieces of 1, 17 and 7.
    shuffled = random.permutation(blocks).tolist()
    pieces, start = [], 0
    for length in (50, 1, 17, 7):
        end = start + length
        chunk = Chunk(ids[start:end], positions[:, start:end], start, shuffled, range(length))
        pieces.append(decoder.run([chunk]))
        start = end
    pool.release(blocks)
    assert np.abs(np.concatenate(pieces) - expected).max() <= 2e-4


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_sequences_of_one_step_do_not_see_each_other(checkpoint: str) -> None:
    random = np.random.default_rng(8)
    engine = golden_engine(checkpoint)
    decoder, pool = decoder_of(engine), engine.language.pool
    prompts = [random.integers(0, 256, length).tolist() for length in (5, 40, 33)]
    tables = [pool.allocate(num_blocks_for(len(p) + 1)) or [] for p in prompts]

    def chunks() -> list[Chunk]:
        return [
            Chunk(ids, np.tile(np.arange(len(ids)), (3, 1)), 0, table, [len(ids) - 1])
            for ids, table in zip(prompts, tables, strict=True)
        ]

    together = decoder.run(chunks())
    alone = np.concatenate([decoder.run([chunk]) for chunk in chunks()])
    for table in tables:
        pool.release(table)
    assert together.shape == alone.shape
    assert np.abs(together - alone).max() <= 2e-4


def operator_types(compiled: Any) -> Counter[str]:
    """Count the kinds of operators that the plugin runs."""
    nodes = compiled.get_runtime_model().get_ordered_ops()
    return Counter(node.get_rt_info()["layerType"].astype(str) for node in nodes)


def test_the_plugin_fuses_what_the_graphs_are_shaped_for() -> None:
    engine = golden_engine("tied", "int8")
    num_layers = engine.config.text.num_hidden_layers
    found = operator_types(decoder_of(engine)._request.get_compiled_model())
    assert found["RoPE"] == 2 * num_layers
    assert found["RMS"] == 4 * num_layers + 1
    for kind, expected in {"projections": {"RoPE": 2, "MVN": 1}, "rest": {"MVN": 1}}.items():
        graphs = [graph for other, graph in tower_of(engine).pieces if other == kind]
        assert len(graphs) == engine.config.vision.depth
        for graph in graphs:
            assert graph is not None
            found = operator_types(graph._compiled)
            assert {name: found[name] for name in expected} == expected
