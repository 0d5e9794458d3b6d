"""Converted models: one folder with quantised weights that later starts map into memory.

Owns: the folder's format, writing it atomically, and proving that not a byte has changed. Must not know: which
weights a model has (``convert.py``), graphs' structure.

    kandong.json         format, weight type, name of the model, size and SHA-256 of every other file, place of every
                         tensor in weights.bin, CRC-32 of every 16 MiB piece of it
    kandong.json.sha256  SHA-256 of kandong.json
    weights.bin          tensors, each at a multiple of 4,096 bytes
    config.json …        the checkpoint's small files
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from kandong.errors import CheckpointError
from kandong.vlm.checkpoint import Weight
from kandong.vlm.weights import StoredMatrix, Value, WeightType, matrix_node

FORMAT = 1
MANIFEST = "kandong.json"
MANIFEST_SUM = "kandong.json.sha256"
WEIGHTS = "weights.bin"
PIECE_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20
_ALIGNMENT_BYTES = 4096
_SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
_TYPES: dict[str, Any] = {
    "i8": np.int8,
    "u8": np.uint8,
    "f16": np.float16,
    "f32": np.float32,
    "bf16": ml_dtypes.bfloat16,
}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_REMEDY = "Remove the folder; it is made again from the original weights."


def is_converted(folder: Path) -> bool:
    """Whether a folder claims to be a converted model."""
    return (folder / MANIFEST).is_file()


class ConvertedWriter:
    """Writes ``weights.bin`` tensor by tensor; used by ``write_converted``."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tensors: dict[str, dict[str, Any]] = {}

    def add_tensor(self, name: str, array: NDArray[Any]) -> None:
        """Append an array under a new name."""
        assert name not in self.tensors, f"{name} was written twice"
        start = -(-self._file.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        self._file.write(b"\0" * (start - self._file.tell()))
        contiguous = np.ascontiguousarray(array)
        self._file.write(contiguous.view(np.uint8).reshape(-1).data)
        self.tensors[name] = {"type": _NAMES[array.dtype], "shape": list(array.shape), "start": start}

    def add_matrix(self, names: Sequence[str], stored: StoredMatrix) -> None:
        """Append a matrix in its stored form."""
        key = matrix_key(names)
        self.add_tensor(key, stored.values)
        self.tensors[key] |= {"weight_type": str(stored.weight_type), "matrix_shape": list(stored.shape)}
        if stored.scales is not None:
            self.add_tensor(f"{key}:scales", stored.scales)


def matrix_key(names: Sequence[str]) -> str:
    """Give the name under which stacked matrices are stored."""
    return "matrix:" + "+".join(names)


@contextmanager
def write_converted(target: Path, source: Path, about: dict[str, Any]) -> Iterator[ConvertedWriter]:
    """Make a converted folder; it appears under ``target`` whole, when the block ends without an error, or never.

    ``about`` is kept in the manifest. Errors: ``OSError`` (no space, no permission); nothing is left behind then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".unfinished-{os.getpid()}-", dir=target.parent))
    try:
        with (draft / WEIGHTS).open("wb") as file:
            writer = ConvertedWriter(file)
            yield writer
            file.flush()
            os.fsync(file.fileno())
        copied = [name for name in _SMALL_FILES if (source / name).is_file()]
        for name in copied:
            shutil.copyfile(source / name, draft / name)
        manifest = {
            "format": FORMAT,
            **about,
            "files": {name: _describe(draft / name) for name in copied},
            "weights_bytes": (draft / WEIGHTS).stat().st_size,
            "pieces": _piece_sums(draft / WEIGHTS),
            "tensors": writer.tensors,
        }
        text = json.dumps(manifest, ensure_ascii=False).encode()
        (draft / MANIFEST).write_bytes(text)
        (draft / MANIFEST_SUM).write_text(hashlib.sha256(text).hexdigest(), "ascii")
        if target.exists():
            # Damaged, or finished by another process in the meantime; either way this one is whole.
            shutil.rmtree(target)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest and the small files. Errors: ``CheckpointError`` if anything differs."""
    try:
        text = (folder / MANIFEST).read_bytes()
        expected = (folder / MANIFEST_SUM).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise _damaged(folder, MANIFEST) from None
    if hashlib.sha256(text).hexdigest() != expected:
        raise _damaged(folder, MANIFEST)
    manifest: dict[str, Any] = json.loads(text)
    if manifest["format"] != FORMAT:
        raise CheckpointError("The converted model is of another version of Kandong.", hint=_REMEDY)
    for name, described in manifest["files"].items():
        if not (folder / name).is_file() or _describe(folder / name) != described:
            raise _damaged(folder, name)
    path = folder / WEIGHTS
    if not path.is_file() or path.stat().st_size != manifest["weights_bytes"]:
        raise _damaged(folder, WEIGHTS)
    return manifest


def verify_weights(folder: Path, manifest: dict[str, Any]) -> None:
    """Compare every piece of ``weights.bin`` with its sum, on all cores. Errors: ``CheckpointError``."""
    if _piece_sums(folder / WEIGHTS) != manifest["pieces"]:
        raise _damaged(folder, WEIGHTS)


class ConvertedWeights:
    """Weights mapped from a converted folder; see ``weights.WeightSource``. Nothing is copied into memory."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self._tensors = manifest["tensors"]
        # Private and writable, as OpenVINO takes no read-only arrays; nobody writes.
        self._bytes = np.memmap(folder / WEIGHTS, np.uint8, "c")
        self._unused = set(self._tensors)

    def matrix(self, names: Sequence[str], weight_type: WeightType) -> Value:
        """See ``WeightSource``. Errors: ``CheckpointError`` if the matrix is not there in that type."""
        key = matrix_key(names)
        entry = self._tensors.get(key, {})
        if entry.get("weight_type") != str(weight_type):
            raise CheckpointError(f"The converted model has no {key} as {weight_type}.", hint=_REMEDY)
        scales = self.tensor(f"{key}:scales") if f"{key}:scales" in self._tensors else None
        rows, columns = entry["matrix_shape"]
        return matrix_node(StoredMatrix(weight_type, (rows, columns), self.tensor(key), scales))

    def tensor(self, name: str) -> Weight:
        """See ``WeightSource``. Errors: ``CheckpointError`` if it is not there."""
        entry = self._tensors.get(name)
        if entry is None:
            raise CheckpointError(f"The converted model has no {name}.", hint=_REMEDY)
        self._unused.discard(name)
        dtype = np.dtype(_TYPES[entry["type"]])
        num_bytes = int(np.prod(entry["shape"], dtype=np.int64)) * dtype.itemsize
        mapped: Weight = self._bytes[entry["start"] : entry["start"] + num_bytes].view(dtype)
        return mapped.reshape(entry["shape"])

    def forget_pages(self) -> None:
        """Let the system drop what was read so far: compiled graphs have copies of their own of nearly everything."""
        mapping = getattr(self._bytes, "_mmap", None)
        if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)

    def require_all_taken(self) -> None:
        """Check that every tensor was handed out. Errors: ``CheckpointError`` naming the first unused."""
        if self._unused:
            raise CheckpointError(f"The converted model holds unused tensors, the first is {min(self._unused)}.")


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _piece_sums(path: Path) -> list[int]:
    """Sum up every piece. CRC-32 surely notices a changed byte, and at every start it costs a third of SHA-256."""

    def of_piece(start: int) -> int:
        # A small buffer used again stays in the CPU's cache, and no new memory has to be got.
        buffer, sum_so_far, left = memoryview(bytearray(_BUFFER_BYTES)), 0, PIECE_BYTES
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while left and (num_read := file.readinto(buffer[: min(left, _BUFFER_BYTES)])):
                sum_so_far, left = zlib.crc32(buffer[:num_read], sum_so_far), left - num_read
        return sum_so_far

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(of_piece, range(0, path.stat().st_size, PIECE_BYTES)))


def _damaged(folder: Path, name: str) -> CheckpointError:
    return CheckpointError(f"{name} of the converted model {folder.name} is damaged.", hint=_REMEDY)
