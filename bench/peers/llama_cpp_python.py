"""The measuring process of llama.cpp, through the C interface that llama-cpp-python brings.

Run with the peer's own Python: ``PYTHON -m bench.peers.llama_cpp_python MODEL.gguf MMPROJ.gguf [--flash auto|on|off]
[--ubatch N]``. Owns: how llama.cpp is run at its best on a CPU. Must not know: Kandong, which is not installed where
this runs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import mtmd_cpp
from numpy.typing import NDArray
from PIL import Image

from bench.peers.protocol import Ask, Question, Reply, serve

CONTEXT_TOKENS = 4096
FLASH = {"auto": -1, "off": 0, "on": 1}
# The library itself writes <|vision_start|> and <|vision_end|> around a Qwen picture.
_TEMPLATE = "<|im_start|>user\n{picture}{prompt}<|im_end|>\n<|im_start|>assistant\n"


class Peer:
    """A model with its projector. Raises RuntimeError where the library refuses something."""

    def __init__(self, model: Path, projector: Path, flash: str, ubatch_tokens: int) -> None:
        threads = os.cpu_count() or 1
        llama_cpp.llama_backend_init()
        self.model = need(
            llama_cpp.llama_model_load_from_file(str(model).encode(), llama_cpp.llama_model_default_params()), "model"
        )
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = CONTEXT_TOKENS, 2048, ubatch_tokens
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = FLASH[flash]
        self._batch_tokens = int(settings.n_batch)
        self.context = need(llama_cpp.llama_init_from_model(self.model, settings), "context")
        vision = mtmd_cpp.mtmd_context_params_default()
        vision.use_gpu, vision.print_timings = False, False
        vision.n_threads, vision.flash_attn_type = threads, FLASH[flash]
        self.vision = need(mtmd_cpp.mtmd_init_from_file(str(projector).encode(), self.model, vision), "projector")
        self._vocabulary_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self._random = np.random.default_rng()

    def ask(self, question: Question) -> Reply:
        """Answer greedily, each part called and timed by itself."""
        pixels = read_picture(question.picture)
        pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        start = time.perf_counter()
        marker = mtmd_cpp.mtmd_get_marker(self.vision).decode()
        with self.chunks(_TEMPLATE.format(picture=marker, prompt=question.prompt), [pixels]) as chunks:
            vision_ms = (time.perf_counter() - start) * 1e3
            encoded_ms, num_tokens = self.prefill(chunks, llama_cpp.llama_pos(0))
        token = self.best_token()
        first = time.perf_counter()
        for _ in range(question.max_tokens - 1):
            self.step(token)
            token = self.best_token()
        last, num_more = time.perf_counter(), question.max_tokens - 1
        vision_ms += encoded_ms
        return Reply(
            vision_ms=vision_ms,
            prefill_ms=(first - start) * 1e3 - vision_ms,
            first_token_ms=(first - start) * 1e3,
            token_ms=(last - first) * 1e3 / num_more if num_more else None,
            num_prompt_tokens=num_tokens,
            num_generated_tokens=question.max_tokens,
        )

    @contextmanager
    def chunks(self, prompt: str, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[Any]:
        """Tokenise a prompt in the template, with a mark for each picture, and cut the pictures into patches."""
        bitmaps = []
        for pixels in pictures:
            height, width, _ = pixels.shape
            data = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
            bitmaps.append(need(mtmd_cpp.mtmd_bitmap_init(width, height, data), "bitmap"))
        chunks = need(mtmd_cpp.mtmd_input_chunks_init(), "chunks")
        encoded = prompt.encode()
        text = mtmd_cpp.mtmd_input_text(encoded, len(encoded), False, True)
        try:
            array = (mtmd_cpp.mtmd_bitmap_p_ctypes * len(bitmaps))(*bitmaps)
            check(mtmd_cpp.mtmd_tokenize(self.vision, chunks, ctypes.byref(text), array, len(bitmaps)), "tokenize")
            yield chunks
        finally:
            mtmd_cpp.mtmd_input_chunks_free(chunks)
            for bitmap in bitmaps:
                mtmd_cpp.mtmd_bitmap_free(bitmap)

    def prefill(self, chunks: Any, position: Any) -> tuple[float, int]:
        """Run the prompt from a position on, which is moved; gives the milliseconds in the tower and the tokens."""
        encoded_ms = 0.0
        num_chunks = mtmd_cpp.mtmd_input_chunks_size(chunks)
        for index in range(num_chunks):
            chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, index)
            past = llama_cpp.llama_pos(position.value)
            if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                since = time.perf_counter()
                check(mtmd_cpp.mtmd_encode_chunk(self.vision, chunk), "encode")
                encoded_ms += (time.perf_counter() - since) * 1e3
                result = mtmd_cpp.mtmd_helper_decode_image_chunk(
                    self.vision, self.context, chunk, mtmd_cpp.mtmd_get_output_embd(self.vision), past, 0,
                    self._batch_tokens, ctypes.byref(position), mtmd_cpp.mtmd_helper_post_decode_callback(), None,
                )  # fmt: skip
            else:
                result = mtmd_cpp.mtmd_helper_eval_chunk_single(
                    self.vision, self.context, chunk, past, 0, self._batch_tokens, index == num_chunks - 1,
                    ctypes.byref(position),
                )  # fmt: skip
            check(result, "decode")
        return encoded_ms, int(mtmd_cpp.mtmd_helper_get_n_tokens(chunks))

    def step(self, token: int) -> None:
        """Run one token, at the position that follows in the library's own cache."""
        tokens = (llama_cpp.llama_token * 1)(token)
        check(llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, 1)), "decode")

    def best_token(self) -> int:
        """Give the likeliest next token."""
        return self.best_of(llama_cpp.llama_get_logits_ith(self.context, -1))

    def best_of(self, logits: Any) -> int:
        """Give the likeliest token of one row of logits."""
        return int(np.ctypeslib.as_array(logits, (self._vocabulary_size,)).argmax())


def need(handle: Any, what: str) -> Any:
    """Give a handle that the library made. Raises RuntimeError if it made none."""
    if handle is None:
        raise RuntimeError(f"llama.cpp gave no {what}")
    return handle


def check(result: int, what: str) -> None:
    """Raise RuntimeError where the library says that a call failed."""
    if result != 0:
        raise RuntimeError(f"llama.cpp: {what} failed with {result}")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read RGB pixels."""
    with Image.open(path) as picture:
        return np.ascontiguousarray(np.array(picture.convert("RGB")))


def main() -> None:
    """Load model and projector, then answer line by line."""
    parser = argparse.ArgumentParser(description="Measures llama.cpp; speaks JSON lines on stdin and stdout.")
    parser.add_argument("model", type=Path)
    parser.add_argument("projector", type=Path)
    parser.add_argument("--flash", choices=sorted(FLASH), default="auto")
    parser.add_argument("--ubatch", type=int, default=512)
    arguments = parser.parse_args()

    def load() -> tuple[Ask, Mapping[str, str], str]:
        peer = Peer(arguments.model, arguments.projector, arguments.flash, arguments.ubatch)
        features = [part.split("=")[0].strip() for part in llama_cpp.llama_print_system_info().decode().split("|")]
        projector = arguments.projector.stem.removeprefix("mmproj-")
        about = f"projector in {projector}, flash attention {arguments.flash}, {', '.join(filter(None, features))}"
        return peer.ask, {"llama-cpp-python": llama_cpp.__version__}, about

    serve(load)


if __name__ == "__main__":
    main()
