"""The vision-feature cache: what the tower made of a picture, in memory and on disk.

Owns: keys, byte budgets, eviction, the file format, and that nothing damaged is ever used. Must not know: who asks,
prompts, graphs.

A file is the SHA-256 of the rest, then safetensors: ``merged``, ``deepstack``, and the full key as metadata. Files are
written beside their place and renamed, so a reader sees a whole file or none; several processes may share a folder.
A thread of the cache's own writes them, so that no answer waits for a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from kandong.vlm.plan import FeatureKey
from kandong.vlm.request import PictureOrigin
from kandong.vlm.vision import VisionFeatures

SUFFIX = ".features"
_DIGEST_BYTES = 32
_HEADER_PAD_BYTES = 8
_PART_SUFFIX = ".part"
_STALE_AFTER_S = 3600


class FeatureCache:
    """Features by picture and grid. Arrays handed out are read-only copies that nothing else writes to.

    ``pipeline`` names all else that determines features: model, precision, preprocessing; another pipeline never finds
    them. Not thread-safe.
    """

    def __init__(
        self,
        pipeline: str,
        *,
        memory_bytes: int,
        folder: Path | None = None,
        disk_bytes: int = 0,
        exact: bool = False,
    ) -> None:
        """Open the cache; ``exact`` keeps float32, otherwise values are rounded to float16 (16 KiB a token for 2B)."""
        self._pipeline = pipeline
        self._memory_budget = memory_bytes
        self._disk_budget = disk_bytes if folder is not None else 0
        self._folder = folder
        self._exact = exact
        self._writer = ThreadPoolExecutor(1, "features") if self._disk_budget else None
        self._being_written: dict[FeatureKey, Future[None]] = {}
        self._count_lock = threading.Lock()
        self._kept: OrderedDict[FeatureKey, VisionFeatures] = OrderedDict()
        self.memory_bytes = 0
        self.counts = {"memory_hits": 0, "disk_hits": 0, "misses": 0, "damaged": 0, "write_failures": 0}

    def __contains__(self, key: FeatureKey) -> bool:
        """Whether ``get`` may find it; a file on disk is not read for this."""
        path = self._path(key)
        return key in self._kept or key in self._being_written or (path is not None and path.is_file())

    def get(self, key: FeatureKey) -> tuple[VisionFeatures, PictureOrigin] | None:
        """Find features, and say where. A damaged file is removed and counts as not there."""
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            self.counts["memory_hits"] += 1
            return kept, "memory"
        if (read := self._read(key)) is not None:
            self.counts["disk_hits"] += 1
            self._keep(key, read)
            return read, "disk"
        self.counts["misses"] += 1
        return None

    def put(self, key: FeatureKey, features: VisionFeatures) -> VisionFeatures:
        """Keep a copy in memory and on disk; returns it, so that first and later answers use the same values."""
        kept = VisionFeatures(self._copy(features.merged), self._copy(features.deepstack))
        self._keep(key, kept)
        if self._writer is not None:
            self._being_written = {other: future for other, future in self._being_written.items() if not future.done()}
            self._being_written[key] = self._writer.submit(self._write, key, kept)
        return kept

    def flush(self) -> None:
        """Wait until everything that was put is on the disk."""
        for future in self._being_written.values():
            future.result()

    def forget(self) -> None:
        """Empty the memory; the disk stays."""
        self._kept.clear()
        self.memory_bytes = 0

    def _copy(self, values: NDArray[Any]) -> NDArray[Any]:
        copied: NDArray[Any] | None = None
        if not self._exact:
            with np.errstate(over="ignore"):
                rounded = np.array(values, np.float16)
            # What float16 cannot hold stays as it is: a lost infinity would spoil every later answer.
            copied = rounded if np.isfinite(rounded).all() else None
        if copied is None:
            copied = np.array(values, np.float32)
        copied.setflags(write=False)
        return copied

    def _keep(self, key: FeatureKey, features: VisionFeatures) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self.memory_bytes -= _num_bytes(old)
        self._kept[key] = features
        self.memory_bytes += _num_bytes(features)
        while self.memory_bytes > self._memory_budget and self._kept:
            _, dropped = self._kept.popitem(last=False)
            self.memory_bytes -= _num_bytes(dropped)

    def _path(self, key: FeatureKey) -> Path | None:
        if self._folder is None or not self._disk_budget:
            return None
        name = hashlib.sha256(json.dumps([self._pipeline, *key]).encode()).hexdigest()
        return self._folder / name[:2] / f"{name}{SUFFIX}"

    def _metadata(self, key: FeatureKey) -> dict[str, str]:
        return {"pipeline": self._pipeline, "key": json.dumps(list(key))}

    def _read(self, key: FeatureKey) -> VisionFeatures | None:
        path = self._path(key)
        if path is None:
            return None
        if (future := self._being_written.get(key)) is not None:
            future.result()
        try:
            content = path.read_bytes()
        except OSError:
            return None
        body = content[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() == content[:_DIGEST_BYTES] and _metadata_of(body) == self._metadata(key):
            # Only bytes that were written whole get here, so the tensors are there and fit.
            tensors = load(body)
            with contextlib.suppress(OSError):
                os.utime(path)
            arrays = [np.array(tensors[name]) for name in ("merged", "deepstack")]
            for array in arrays:
                array.setflags(write=False)
            return VisionFeatures(*arrays)
        self.counts["damaged"] += 1
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def _write(self, key: FeatureKey, features: VisionFeatures) -> None:
        """Write a file and keep to the budget. A full or read-only disk only costs the next start its shortcut."""
        path = self._path(key)
        if path is None:
            return
        tensors = {"merged": features.merged, "deepstack": features.deepstack}
        body = save(tensors, metadata=self._metadata(key))
        if len(body) > self._disk_budget:
            return
        part = path.with_name(f".{secrets.token_hex(8)}{_PART_SUFFIX}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(hashlib.sha256(body).digest() + body)
            part.replace(path)
            self._evict()
        except OSError:
            with self._count_lock:
                self.counts["write_failures"] += 1
            with contextlib.suppress(OSError):
                part.unlink()

    def _evict(self) -> None:
        """Remove the longest unused files until the folder is within its budget, and what a dead process left half."""
        assert self._folder is not None
        for part in self._folder.glob(f"??/.*{_PART_SUFFIX}"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _STALE_AFTER_S:
                    part.unlink()
        files = sorted(self._files(), key=lambda entry: entry[1])
        total = sum(size for _, _, size in files)
        for path, _, size in files:
            if total <= self._disk_budget:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size

    def _files(self) -> Iterator[tuple[Path, float, int]]:
        assert self._folder is not None
        for path in self._folder.glob(f"??/*{SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                yield path, status.st_mtime, status.st_size


def _num_bytes(features: VisionFeatures) -> int:
    return int(features.merged.nbytes + features.deepstack.nbytes)


def _metadata_of(body: bytes) -> dict[str, str] | None:
    """Read the metadata of safetensors bytes; ``None`` if there is none to read."""
    length = int.from_bytes(body[:_HEADER_PAD_BYTES], "little")
    try:
        header = json.loads(body[_HEADER_PAD_BYTES : _HEADER_PAD_BYTES + length])
        metadata = header["__metadata__"]
    except (ValueError, KeyError, TypeError):
        return None
    return metadata if isinstance(metadata, dict) else None
