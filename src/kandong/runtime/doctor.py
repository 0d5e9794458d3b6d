"""Whether this machine and this installation can do the work: checks as data.

Owns: the checks, what each calls a problem, and what to do about it. Must not know: terminals, exit codes.
OpenVINO may be missing or broken here, so nothing that needs it is imported before it has been tried.
"""

from __future__ import annotations

import importlib
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kandong.errors import KandongError
from kandong.machine import Memory, read_memory, read_processor
from kandong.models.catalogue import models_folder
from kandong.runtime.model_sizes import GIB, KNOWN_SIZES, needed_memory_bytes
from kandong.runtime.model_state import ModelState, read_model_state

MIN_PYTHON = (3, 11)
# The graph holds an operator that OpenVINO may change with any minor version; pyproject.toml pins the same.
OPENVINO_MINOR = "2026.4"
MODEL_CHECKS = frozenset({"model", "conversion"})
_CARD = "cake.png"
_PORT_WITHIN_S = 2.0
_CARD_TEXT = "39元"
_CARD_SIDE_PX = 256


class Status(StrEnum):
    """What a check found. ``absent`` is a thing that is not there and need not be."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    ABSENT = "absent"


@dataclass(frozen=True)
class Check:
    """One finding; ``remedy`` is ``None`` where nothing has to be done."""

    name: str
    status: Status
    found: str
    remedy: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Give plain JSON values."""
        return asdict(self) | {"status": str(self.status)}


def examine(model: str | None = None, *, verify: bool = False) -> list[Check]:
    """Run all checks for a model, named as for ``Kandong``, in well under a second.

    ``verify`` does what takes seconds: it compares every byte of the conversions, parses the tokenizer and reads a card
    with OCR; without it, those are only looked for.
    """
    openvino = check_openvino()
    has_openvino = openvino.status is not Status.PROBLEM
    state = read_model_state(model, verify=verify, has_openvino=has_openvino)
    return [
        check_python(),
        openvino,
        check_processor(),
        check_numerics() if has_openvino else Check("numerics", Status.ABSENT, "cannot be told without OpenVINO"),
        check_memory(state, read_memory()),
        check_disk(state),
        check_model(state),
        check_conversion(state, verify=verify),
        check_pictures(),
        check_ocr(verify=verify),
        check_ports(),
        check_page(),
    ]


def check_python() -> Check:
    """Compare Python's version with the lowest that is supported."""
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.platform} {platform.machine()}"
    if sys.version_info[:2] >= MIN_PYTHON:
        return Check("python", Status.OK, found)
    lowest = ".".join(map(str, MIN_PYTHON))
    return Check("python", Status.PROBLEM, found, f"Install Kandong into Python {lowest} or newer.")


def check_openvino() -> Check:
    """See whether OpenVINO is of the pinned minor version and can be loaded."""
    remedy = f"Run: {Path(sys.executable).name} -m pip install 'openvino=={OPENVINO_MINOR}.*'"
    try:
        found = version("openvino")
    except PackageNotFoundError:
        return Check("openvino", Status.PROBLEM, "not installed", remedy)
    if found.split(".")[:2] != OPENVINO_MINOR.split("."):
        return Check("openvino", Status.PROBLEM, f"{found}; this version of Kandong needs {OPENVINO_MINOR}", remedy)
    try:
        importlib.import_module("kandong.vlm.engine")
    except (ImportError, OSError) as error:
        missing = getattr(error, "name", None) or type(error).__name__
        return Check("openvino", Status.PROBLEM, f"{found}, but the engine cannot be loaded ({missing})", remedy)
    return Check("openvino", Status.OK, found)


def check_processor() -> Check:
    """Name the processor; one without AVX2 works, slowly."""
    processor = read_processor()
    cores = f"{processor.num_cores} core{'s' if processor.num_cores > 1 else ''}"
    if processor.features is None:
        return Check("cpu", Status.OK, f"{processor.name}, {cores}; this system does not tell its features")
    found = f"{processor.name}, {cores}, {' '.join(processor.features) or 'no vector features of use'}"
    if platform.machine().lower() in ("x86_64", "amd64") and "AVX2" not in processor.features:
        return Check("cpu", Status.WARNING, found, "Expect answers to take many times longer than with AVX2.")
    return Check("cpu", Status.OK, found)


def check_numerics() -> Check:
    """Say what precision ``auto`` takes on this processor. Needs OpenVINO."""
    from kandong.vlm.device import Precision, cpu_has_bf16, resolve_numerics

    try:
        taken, has_bf16 = resolve_numerics(Precision.AUTO), cpu_has_bf16()
    except RuntimeError:
        return Check(
            "numerics", Status.PROBLEM, "OpenVINO finds no CPU device", "Install OpenVINO again: its plugin is missing."
        )
    reason = "multiplies bf16 by itself" if has_bf16 else "has no bf16"
    return Check("numerics", Status.OK, f"auto takes {taken}; OpenVINO says the CPU {reason}")


def check_memory(state: ModelState, memory: Memory | None) -> Check:
    """Compare the memory of the machine with what the model needs, and say which of the known models would fit."""
    if memory is None:
        return Check("memory", Status.ABSENT, "this system does not tell it")
    limited = " (limit of this control group)" if memory.is_limited else ""
    fitting = [
        name.removeprefix("Qwen/Qwen3-VL-").removesuffix("-Instruct")
        for name, size in KNOWN_SIZES.items()
        if needed_memory_bytes(size.int8_bytes) <= memory.available_bytes
    ]
    found = f"{_gib(memory.available_bytes)} of {_gib(memory.total_bytes)} available{limited}; fits in int8: "
    found += ", ".join(fitting) or "none of 2B, 4B, 8B"
    conversion = state.usable_conversion
    if conversion is not None:
        needed = needed_memory_bytes(conversion.weights_bytes)
    elif state.size is not None:
        needed = needed_memory_bytes(state.size.int8_bytes)
    else:
        return Check("memory", Status.OK, found)
    found += f"; this model needs about {_gib(needed)}"
    if needed > memory.total_bytes:
        return Check("memory", Status.PROBLEM, found, "Take a smaller model, or --precision int4, or more memory.")
    if needed > memory.available_bytes:
        return Check("memory", Status.WARNING, found, "End other programs first, or take a smaller model.")
    return Check("memory", Status.OK, found)


def check_disk(state: ModelState) -> Check:
    """See whether the cache folder has room for what is still to come, and may be written.

    Where it cannot, a model that is here already still answers, converted in memory at every start: a warning.
    """
    cache = models_folder().parent
    folder = _nearest_existing(cache)
    free = shutil.disk_usage(folder).free
    needed = 0
    if state.size is not None:
        needed += 0 if state.is_here else state.size.download_bytes
        is_converted = state.usable_conversion is not None
        needed += 0 if is_converted else state.size.conversion_bytes
    found = f"{_gib(free)} free in {cache}"
    if needed:
        found += f"; {_gib(needed)} still to come"
    severity = Status.WARNING if state.is_here else Status.PROBLEM
    if not _may_be_written(folder):
        return Check("disk", severity, f"{cache} cannot be written", "Set KANDONG_HOME to a folder that can be.")
    if free < needed:
        remedy = f"Make {_gib(needed - free)} more free, or set KANDONG_HOME to a folder on another disk."
        return Check("disk", severity, found, remedy)
    return Check("disk", Status.OK, found)


def check_model(state: ModelState) -> Check:
    """Say whether the original is here and complete. Its bytes are not compared with anything."""
    if state.error is not None:
        remedy = state.error.hint or "Fetch the model again with `kandong pull`."
        return Check("model", Status.PROBLEM, state.error.message, remedy)
    assert state.found is not None, "a model that is not here has an error"
    where = f"{state.found.name} in {state.found.folder}"
    if state.original_bytes is None:
        return Check("model", Status.OK, f"{where}: a conversion, which needs no original")
    return Check("model", Status.OK, f"{where}: original, complete, {_gib(state.original_bytes)}")


def check_conversion(state: ModelState, *, verify: bool) -> Check:
    """Say which conversions of the model are here, and whether they are intact."""
    if state.conversions is None:
        return Check("conversion", Status.ABSENT, "cannot be told without OpenVINO")
    if not state.conversions:
        later = "the first start makes one" if state.is_here else "one is made of a usable original"
        return Check("conversion", Status.ABSENT, f"none yet: {later}")
    for conversion in state.conversions:
        if conversion.error is None:
            continue
        if state.original_bytes is not None:
            remedy = "Nothing has to be done: it is made again when it is used next."
            return Check("conversion", Status.WARNING, conversion.error.message, remedy)
        remedy = "Fetch the original with `kandong pull`, or copy the folder again."
        return Check("conversion", Status.PROBLEM, conversion.error.message, remedy)
    listed = ", ".join(f"{c.weight_type} weights, {_gib(c.weights_bytes)}" for c in state.conversions)
    compared = "every byte compared" if verify else "sizes and small files compared; --verify reads every byte"
    return Check("conversion", Status.OK, f"{listed}; intact ({compared})")


def check_pictures() -> Check:
    """Decode a bundled picture."""
    remedy = "Install Kandong again: a package is missing or broken."
    try:
        from kandong.reading.images import decode_picture
        from kandong.runtime.selftest import card_bytes

        picture = decode_picture(card_bytes(_CARD), name=_CARD)
    except (ImportError, OSError) as error:
        return Check("pictures", Status.PROBLEM, f"decoding fails ({type(error).__name__})", remedy)
    except KandongError as error:
        return Check("pictures", Status.PROBLEM, error.message, remedy)
    found = f"a bundled card decodes to {picture.width_px}×{picture.height_px} pixels"
    if (picture.width_px, picture.height_px) != (_CARD_SIDE_PX, _CARD_SIDE_PX):
        return Check("pictures", Status.PROBLEM, found, remedy)
    return Check("pictures", Status.OK, found)


def check_ocr(*, verify: bool) -> Check:
    """Look for the weights of OCR, which come with the installation; with ``verify``, read a bundled card."""
    remedy = "Install Kandong again: a package of OCR is missing or broken."
    try:
        from kandong.reading.images import decode_picture
        from kandong.reading.ocr import weights_bytes
        from kandong.reading.reader import read_picture
        from kandong.runtime.selftest import card_bytes

        if not verify:
            found = f"three sets of weights, {_gib(weights_bytes())}; --verify reads a card"
            return Check("ocr", Status.OK, found)
        reading = read_picture(decode_picture(card_bytes(_CARD), name=_CARD))
    except (ImportError, OSError, RuntimeError) as error:
        return Check("ocr", Status.PROBLEM, f"OCR fails ({type(error).__name__})", remedy)
    except KandongError as error:
        return Check("ocr", Status.PROBLEM, error.message, error.hint or remedy)
    found = f"reads {len(reading.lines)} lines on a bundled card"
    if _CARD_TEXT not in reading.full_text:
        return Check("ocr", Status.PROBLEM, f"{found}, but not {_CARD_TEXT}", remedy)
    return Check("ocr", Status.OK, f"{found}, among them {_CARD_TEXT}")


def check_ports(host: str = "127.0.0.1") -> Check:
    """Open a free port of this machine and reach it: a process of its own for the engine may need that."""
    try:
        with socket.create_server((host, 0)) as server:
            server.settimeout(_PORT_WITHIN_S)
            port = int(server.getsockname()[1])
            with socket.create_connection((host, port), timeout=_PORT_WITHIN_S), server.accept()[0]:
                return Check("ports", Status.OK, f"a free port on {host} can be opened and reached")
    except OSError as error:
        return Check(
            "ports",
            Status.WARNING,
            f"no port on {host} can be opened and reached ({type(error).__name__})",
            "Allow programs to use loopback in the firewall or sandbox. Asking in one process works without.",
        )


def check_page() -> Check:
    """See whether the web page was built into this installation; the service works without."""
    if (resources.files("kandong") / "server" / "page" / "index.html").is_file():
        return Check("page", Status.OK, "built")
    return Check("page", Status.ABSENT, "not built: `make page` in a clone does it; the API works without")


def _nearest_existing(folder: Path) -> Path:
    """Give the folder, or the innermost one around it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())


def _may_be_written(folder: Path) -> bool:
    """Try it with a file that vanishes at once: permissions alone do not tell of read-only disks."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _gib(num_bytes: int) -> str:
    """Write a size; in MiB where GiB would show nothing."""
    return f"{num_bytes / GIB:.1f} GiB" if num_bytes >= GIB // 10 else f"{num_bytes / 2**20:.1f} MiB"
