"""Runs one case through transformers and gives the arrays that are stored.

Owns: how the reference is called (float32, CPU, PIL image processor). Must not know: how weights and pictures are made,
where results are stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from transformers import Qwen2VLImageProcessorPil, Qwen3VLForConditionalGeneration
from transformers.utils import logging as transformers_logging

from .cases_recipe import Message
from .tokenizer_recipe import TOKEN_IDS

Arrays = dict[str, NDArray[Any]]
NUM_GREEDY_TOKENS = 64
PATCH_SAMPLE_STRIDE = 17
_NUM_LOGITS_ROWS = 8
_IMAGE_ID = TOKEN_IDS["<|image_pad|>"]


def quieten_transformers() -> None:
    """Turn off progress bars and warnings of the library for this process; errors still raise."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()


@dataclass(frozen=True)
class Inputs:
    """One case ready to run: ``patches`` is float32 ``(n_patches, 1536)``, ``position_ids`` int64 ``(3, T)``."""

    input_ids: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    patches: NDArray[np.float32]
    grid_thw: NDArray[np.int64]
    patches_sha256: list[str]


class Reference:
    """A checkpoint folder loaded by transformers."""

    def __init__(self, folder: Path, pictures: Path, *, attention: str = "eager") -> None:
        """Load in float32; raises ValueError if transformers misses a weight or finds one too many."""
        model, report = Qwen3VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
        )
        if any(report.values()):
            raise ValueError(f"{folder.name}: weights do not fit the configuration: {report}")
        # Answers always run to their full length, so that every case gives the same number of tokens.
        model.generation_config.eos_token_id = None
        model.generation_config.do_sample = False
        self.model = model.eval()
        self.pictures = pictures
        self.images = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        source = (folder / "chat_template.jinja").read_text(encoding="utf-8")
        # The environment that transformers itself renders chat templates in.
        self.template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(source)

    def prepare(self, messages: list[Message]) -> Inputs:
        """Render, tokenise, cut the pictures into patches and lay out the positions."""
        names = [part["picture"] for message in messages for part in message["parts"] if "picture" in part]
        patches, grids = [], []
        for name in names:
            with Image.open(self.pictures / name) as picture:
                outputs = self.images(picture.convert("RGB"), return_tensors="np")
            patches.append(np.ascontiguousarray(outputs["pixel_values"], dtype=np.float32))
            grids.append(outputs["image_grid_thw"][0])
        grid_thw = np.array(grids, dtype=np.int64).reshape(-1, 3)
        ids = self._token_ids(messages, grid_thw)
        positions, _ = self.model.model.get_rope_index(
            torch.from_numpy(ids)[None],
            mm_token_type_ids=torch.from_numpy((ids == _IMAGE_ID).astype(np.int32))[None],
            image_grid_thw=torch.from_numpy(grid_thw) if names else None,
        )
        return Inputs(
            input_ids=ids,
            position_ids=positions[:, 0].numpy(),
            patches=np.concatenate(patches) if patches else np.zeros((0, 1536), dtype=np.float32),
            grid_thw=grid_thw,
            patches_sha256=[hashlib.sha256(one.tobytes()).hexdigest() for one in patches],
        )

    def _token_ids(self, messages: list[Message], grid_thw: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokenise the rendered conversation; each picture token becomes one per merged patch."""
        turns = [
            {
                "role": message["role"],
                "content": [
                    {"type": "text", "text": part["text"]} if "text" in part else {"type": "image"}
                    for part in message["parts"]
                ],
            }
            for message in messages
        ]
        text = self.template.render(messages=turns, add_generation_prompt=True)
        counts = iter((grid_thw.prod(axis=1) // 4).tolist())
        ids: list[int] = []
        for token_id in self.tokenizer.encode(text).ids:
            ids.extend([token_id] * (next(counts) if token_id == _IMAGE_ID else 1))
        return np.array(ids, dtype=np.int64)

    def features(self, inputs: Inputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the merged features ``(n, 64)`` and the DeepStack features ``(3, n, 64)`` of all pictures in order."""
        if len(inputs.grid_thw) == 0:
            return np.zeros((0, 64), dtype=np.float32), np.zeros((3, 0, 64), dtype=np.float32)
        with torch.no_grad():
            found = self.model.model.visual(
                torch.from_numpy(inputs.patches), grid_thw=torch.from_numpy(inputs.grid_thw)
            )
        return found.pooler_output.numpy(), torch.stack(list(found.deepstack_features)).numpy()

    def _model_inputs(self, inputs: Inputs) -> dict[str, Any]:
        ids = torch.from_numpy(inputs.input_ids)[None]
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        given["mm_token_type_ids"] = (ids == _IMAGE_ID).int()
        if len(inputs.grid_thw):
            # The model may work in float64 for a check of rounding; the patches follow it.
            given["pixel_values"] = torch.from_numpy(inputs.patches).to(self.model.dtype)
            given["image_grid_thw"] = torch.from_numpy(inputs.grid_thw)
        return given

    def logits(self, inputs: Inputs) -> NDArray[np.float32]:
        """Give the logits ``(T, vocab)`` of the whole prompt in one pass."""
        positions = torch.from_numpy(inputs.position_ids)[:, None]
        with torch.no_grad():
            found = self.model(**self._model_inputs(inputs), position_ids=positions, use_cache=False)
        logits: NDArray[np.float32] = found.logits[0].numpy()
        return logits

    def greedy(self, inputs: Inputs) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give the greedy answer of 64 tokens and the gap of the two best logits at each."""
        found = self.model.generate(
            **self._model_inputs(inputs),
            max_new_tokens=NUM_GREEDY_TOKENS,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        answer: NDArray[np.int64] = found.sequences[0, len(inputs.input_ids) :].numpy()
        best = torch.stack(found.logits)[:, 0].topk(2, dim=-1).values
        margins: NDArray[np.float32] = (best[:, 0] - best[:, 1]).numpy()
        return answer, margins


def _rows_to_keep(input_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose about eight rows: inside, at the end of and right after each picture, some of text, and the last."""
    is_picture = input_ids == _IMAGE_ID
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_picture, [False]]).astype(np.int8)))
    rows = {len(input_ids) - 1}
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        rows |= {begin, (begin + end) // 2 + 1, end - 1, end, min(end + 2, len(input_ids) - 1)}
    spread = np.linspace(2, len(input_ids) - 3, _NUM_LOGITS_ROWS).astype(int).tolist()
    for row in spread:
        if len(rows) >= _NUM_LOGITS_ROWS:
            break
        rows.add(row)
    return np.array(sorted(rows), dtype=np.int64)


def run_case(reference: Reference, messages: list[Message]) -> Arrays:
    """Give all arrays of one case; README.md says what each is."""
    inputs = reference.prepare(messages)
    merged, deepstack = reference.features(inputs)
    rows = _rows_to_keep(inputs.input_ids)
    logits = reference.logits(inputs)
    answer, margins = reference.greedy(inputs)
    first_patches = int(inputs.grid_thw[0].prod()) if len(inputs.grid_thw) else 0
    return {
        "grid_thw": inputs.grid_thw,
        "patches_sha256": np.array(inputs.patches_sha256, dtype="<U64"),
        "patches_sample": inputs.patches[:first_patches:PATCH_SAMPLE_STRIDE],
        "input_ids": inputs.input_ids,
        "position_ids": inputs.position_ids,
        "merged": merged,
        "deepstack": deepstack,
        "logits_rows": rows,
        "logits": logits[rows],
        "greedy": answer,
        "greedy_margin": np.array(margins.min(), dtype=np.float32),
    }
