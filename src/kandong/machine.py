"""The machine as its operating system describes it: processor and memory.

Owns: reading /proc and control groups; what cannot be read is ``None``. Must not know: models, what the numbers are
judged by.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# As Linux names them on x86 and ARM, and as people do. They decide which kernels the CPU plugin can take.
_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "avx512_fp16": "AVX512-FP16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
    "asimd": "NEON",
    "asimddp": "DotProd",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}
_ROOT = Path("/")


@dataclass(frozen=True)
class Processor:
    """``features`` are those of interest, ``None`` where the system does not tell them."""

    name: str
    num_cores: int
    features: tuple[str, ...] | None


@dataclass(frozen=True)
class Memory:
    """What processes may take: the machine's memory, or less under a control group's limit (``is_limited``)."""

    total_bytes: int
    available_bytes: int
    is_limited: bool


def read_processor(root: Path = _ROOT) -> Processor:
    """Read name, cores that this process may use, and features. ``root`` holds ``proc``."""
    fields: dict[str, str] = {}
    for line in _text(root / "proc" / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    flags = (fields.get("flags") or fields.get("features") or "").split()
    features = tuple(shown for flag, shown in _FEATURES.items() if flag in flags) if flags else None
    name = fields.get("model name") or platform.processor() or platform.machine() or "unknown"
    return Processor(name, num_usable_cores(), features)


def read_memory(root: Path = _ROOT) -> Memory | None:
    """Read total and available memory; ``None`` where there is no /proc. ``root`` holds ``proc`` and ``sys``.

    A control group's use counts without the file cache that it would give up at once.
    """
    fields: dict[str, int] = {}
    for line in _text(root / "proc" / "meminfo").splitlines():
        name, _, value = line.partition(":")
        if value.split() and value.split()[0].isdigit():
            fields[name] = int(value.split()[0]) * 1024
    if "MemTotal" not in fields or "MemAvailable" not in fields:
        return None
    total, available, is_limited = fields["MemTotal"], fields["MemAvailable"], False
    for limit, used in _group_limits(root):
        if limit < fields["MemTotal"]:
            is_limited = True
            total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available, is_limited)


def process_memory_bytes(process_id: int, root: Path = _ROOT) -> int | None:
    """Read how much memory a process holds; ``None`` if it has ended, or there is no /proc."""
    for line in _text(root / "proc" / str(process_id) / "status").splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS" and value.split() and value.split()[0].isdigit():
            return int(value.split()[0]) * 1024
    return None


def _group_limits(root: Path) -> Iterator[tuple[int, int]]:
    """Give limit and use in bytes of this process's control group and of each one around it."""
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        if not controllers:
            mount, names = mounts, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount, names = mounts / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path may be one of the host that is not seen here; its own group is then the mount.
        inner = mount / path.lstrip("/")
        for folder in (inner, *inner.parents):
            limit, used = _number(folder / names[0]), _number(folder / names[1])
            if limit is not None and used is not None:
                yield limit, max(0, used - _statistic(folder / "memory.stat", names[2]))
            if folder == mount:
                break


def _statistic(path: Path, wanted: str) -> int:
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == wanted and value.isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    """Read a file of the system; empty if there is none or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def num_usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
