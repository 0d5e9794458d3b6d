"""What a bench says about the machine that it ran on.

Owns: reading it from the system, as far as the system tells. Must not know: what is measured.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

# Extensions that decide how fast matrices are multiplied.
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16")


def describe_machine() -> dict[str, object]:
    """Give processor, its extensions, cores, memory and system."""
    return {
        "cpu": _cpu_fields().get("model name") or platform.processor() or platform.machine(),
        "family": _cpu_fields().get("cpu family", ""),
        "extensions": cpu_extensions(),
        "num_cpus": os.cpu_count() or 1,
        "memory_gib": round(_memory_fields().get("MemTotal", 0) / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def cpu_extensions() -> list[str]:
    """List the extensions that matter and that this CPU has (Linux; empty elsewhere)."""
    flags = _cpu_fields().get("flags", "").split()
    return [flag for flag in _TELLING_FLAGS if flag in flags]


def available_memory_bytes() -> int:
    """Give the memory that can be had without swapping; 8 GiB where the system does not say."""
    return _memory_fields().get("MemAvailable", 8 << 30)


def _cpu_fields() -> dict[str, str]:
    """Read the first processor's fields (Linux; empty elsewhere)."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").split("\n\n")[0].splitlines() if path.is_file() else []
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _memory_fields() -> dict[str, int]:
    path = Path("/proc/meminfo")
    lines = path.read_text("ascii").splitlines() if path.is_file() else []
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
