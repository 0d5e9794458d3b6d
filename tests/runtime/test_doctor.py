"""What the doctor finds: on this machine, on described machines, and on models in every state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kandong import Kandong
from kandong.machine import Memory, read_memory, read_processor
from kandong.models.catalogue import converted_folder, models_folder
from kandong.runtime import doctor
from kandong.runtime.doctor import Check, Status, examine
from kandong.runtime.model_sizes import GIB, KNOWN_SIZES, needed_memory_bytes, size_of
from kandong.runtime.model_state import read_model_state
from kandong.vlm.checkpoint import Checkpoint
from kandong.vlm.converted import WEIGHTS
from tests.inspection import GOLDEN

ROOT = Path(__file__).resolve().parents[2]
NAME = "Qwen/Qwen3-VL-2B-Instruct"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("HF_HUB_CACHE", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / "no-hub"))
    monkeypatch.delenv("KANDONG_MODEL", raising=False)
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def found(model: str | None, *, verify: bool = False) -> dict[str, Check]:
    return {check.name: check for check in examine(model, verify=verify)}


def pulled_model() -> Path:
    """Put a small checkpoint where ``pull`` would put the 2B model."""
    folder = models_folder() / NAME
    folder.parent.mkdir(parents=True)
    shutil.copytree(GOLDEN / "tied", folder, ignore=shutil.ignore_patterns("*.npz"))
    return folder


def change_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 255]))


def test_a_healthy_installation_has_no_problem(home: Path) -> None:
    checks = found(str(GOLDEN / "tied"))
    assert list(checks) == [
        "python", "openvino", "cpu", "numerics", "memory", "disk", "model", "conversion", "pictures", "ocr",
        "ports", "page",
    ]  # fmt: skip
    assert not [c for c in checks.values() if c.status is Status.PROBLEM]
    assert all((c.remedy is None) == (c.status in (Status.OK, Status.ABSENT)) for c in checks.values())
    assert "original, complete" in checks["model"].found
    assert checks["pictures"].found.endswith("256×256 pixels")
    assert checks["ocr"].status is Status.OK
    assert "--verify reads a card" in checks["ocr"].found
    assert checks["page"].status in (Status.OK, Status.ABSENT)  # a clone may have been built, or not
    assert not home.exists()  # looking changes nothing


@pytest.mark.usefixtures("home")
def test_ocr_reads_a_card_where_asked_to() -> None:
    check = doctor.check_ocr(verify=True)
    assert (check.status, "39元" in check.found) == (Status.OK, True)


def test_ocr_without_its_weights_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kandong.reading.ocr._weights_folder", lambda: tmp_path)
    check = doctor.check_ocr(verify=False)
    assert (check.status, "missing" in check.found) == (Status.PROBLEM, True)
    assert "pip install" in (check.remedy or "")


def test_pins_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"openvino=={doctor.OPENVINO_MINOR}.*" in project["dependencies"]
    assert project["requires-python"] == ">=" + ".".join(map(str, doctor.MIN_PYTHON))


@pytest.mark.usefixtures("home")
def test_absent_model_says_how_to_get_it_and_counts_its_room() -> None:
    checks = found(None)
    assert checks["model"].status is Status.PROBLEM
    assert f"kandong pull {NAME}" in (checks["model"].remedy or "")
    assert "6.8 GiB still to come" in checks["disk"].found
    assert "needs about 3.5 GiB" in checks["memory"].found
    assert found("someone/another")["model"].status is Status.PROBLEM


@pytest.mark.usefixtures("home")
def test_first_error_of_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(GOLDEN / "tied", cut)
    os.truncate(cut / "model.safetensors", 5000)
    check = found(str(cut))["model"]
    assert (check.status, "cut or damaged" in check.found) == (Status.PROBLEM, True)
    (cut / "config.json").unlink()
    assert "config.json" in found(str(cut))["model"].found


@pytest.mark.usefixtures("home")
def test_missing_tokenizer_is_a_problem_of_the_model(tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    shutil.copytree(GOLDEN / "tied", partial, ignore=shutil.ignore_patterns("tokenizer.json"))
    assert "tokenizer.json" in found(str(partial))["model"].found
    (partial / "tokenizer.json").write_text("{}")
    assert found(str(partial))["model"].status is Status.OK  # it is only looked for
    assert found(str(partial), verify=True)["model"].status is Status.PROBLEM


@pytest.mark.usefixtures("home")
def test_conversion_is_told_from_its_absence_and_its_damage() -> None:
    pulled_model()
    before = found(NAME)
    assert (before["conversion"].status, before["conversion"].remedy) == (Status.ABSENT, None)
    Kandong(NAME)
    made = found(NAME)
    assert (made["conversion"].status, "int8" in made["conversion"].found) == (Status.OK, True)
    assert "still to come" not in made["disk"].found
    (folder,) = converted_folder().iterdir()
    change_a_byte(folder / WEIGHTS)
    assert found(NAME)["conversion"].status is Status.OK  # the size is as before: only --verify can tell
    verified = found(NAME, verify=True)["conversion"]
    assert (verified.status, WEIGHTS in verified.found) == (Status.WARNING, True)
    change_a_byte(folder / "kandong.json")
    assert found(NAME)["conversion"].status is Status.WARNING


@pytest.mark.usefixtures("home")
def test_conversion_of_a_changed_original_does_not_count() -> None:
    folder = pulled_model()
    Kandong(NAME)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert found(NAME)["conversion"].status is Status.ABSENT


@pytest.mark.usefixtures("home")
def test_conversion_without_its_original_is_enough_until_it_is_damaged() -> None:
    folder = pulled_model()
    Kandong(NAME)
    shutil.rmtree(folder)
    checks = found(NAME, verify=True)
    assert "needs no original" in checks["model"].found
    assert (checks["conversion"].status, checks["model"].status) == (Status.OK, Status.OK)
    (converted,) = converted_folder().iterdir()
    change_a_byte(converted / WEIGHTS)
    assert found(NAME, verify=True)["conversion"].status is Status.PROBLEM


@pytest.mark.usefixtures("home")
def test_cache_that_cannot_be_written_is_worse_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that not even root may write")
    monkeypatch.setenv("KANDONG_HOME", "/proc/self/kandong")
    assert found(str(GOLDEN / "tied"))["disk"].status is Status.WARNING
    check = found(NAME)["disk"]
    assert (check.status, "KANDONG_HOME" in (check.remedy or "")) == (Status.PROBLEM, True)


@pytest.mark.usefixtures("home")
def test_memory_is_judged_by_the_model_that_was_chosen() -> None:
    state = read_model_state("8b", verify=False, has_openvino=True)
    ample, busy, small = (Memory(total * GIB, free * GIB, False) for total, free in ((32, 20), (16, 7), (8, 4)))
    assert doctor.check_memory(state, ample).status is Status.OK
    assert doctor.check_memory(state, busy).status is Status.WARNING
    assert "fits in int8: 2B, 4B;" in doctor.check_memory(state, busy).found
    assert doctor.check_memory(state, small).status is Status.PROBLEM
    assert doctor.check_memory(state, None).status is Status.ABSENT


def test_known_sizes_give_the_memory_that_was_measured() -> None:
    needs_gib = [needed_memory_bytes(size.int8_bytes) / GIB for size in KNOWN_SIZES.values()]
    assert needs_gib == pytest.approx([3.6, 6.2, 11.3], abs=0.1)
    tied = Checkpoint(GOLDEN / "tied")
    stored_bytes = (GOLDEN / "tied" / "model.safetensors").stat().st_size
    header_bytes = 8 + int.from_bytes((GOLDEN / "tied" / "model.safetensors").read_bytes()[:8], "little")
    bytes_per_value = (stored_bytes - header_bytes) / size_of(tied.config).num_parameters
    assert bytes_per_value in (2.0, 4.0)


def described_machine(root: Path, cgroup: str, limits: dict[str, str]) -> Path:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text("MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\n")
    (root / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in limits.items():
        path = root / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GIB_4, GIB_3 = str(4 * GIB), str(3 * GIB)
V2 = {"a/memory.max": GIB_4, "a/memory.current": GIB_3, "a/memory.stat": f"anon 5\ninactive_file {GIB}\n"}
V1 = {
    "memory/memory.limit_in_bytes": GIB_4,
    "memory/memory.usage_in_bytes": GIB_3,
    "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\n",
}


@pytest.mark.parametrize(
    ("cgroup", "limits"),
    [
        ("0::/a/b\n", V2 | {"a/b/memory.max": "max\n", "a/b/memory.current": "1"}),  # the limit is the parent's
        ("5:cpu:/\n4:memory:/docker/unseen\n", V1),
    ],
)
def test_limit_of_a_control_group_counts(tmp_path: Path, cgroup: str, limits: dict[str, str]) -> None:
    memory = read_memory(described_machine(tmp_path, cgroup, limits))
    assert memory == Memory(4 * GIB, 2 * GIB, True)


def test_unlimited_control_group_leaves_the_machine_as_it_is(tmp_path: Path) -> None:
    unlimited = {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5"}
    memory = read_memory(described_machine(tmp_path, "4:memory:/\n", unlimited))
    assert memory == Memory(16_000_000 * 1024, 12_000_000 * 1024, False)


def test_system_that_tells_nothing_is_no_failure(tmp_path: Path) -> None:
    assert read_memory(tmp_path) is None
    processor = read_processor(tmp_path)
    assert processor.features is None
    assert processor.num_cores >= 1


def test_features_are_read_on_x86_and_arm(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    cpuinfo = tmp_path / "proc" / "cpuinfo"
    cpuinfo.write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_tile\n")
    processor = read_processor(tmp_path)
    assert (processor.name, processor.features) == ("Some CPU", ("AVX2", "AVX-512", "AVX512-VNNI", "AMX"))
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd i8mm bf16\n")
    assert read_processor(tmp_path).features == ("NEON", "I8MM", "BF16")


@pytest.mark.parametrize(
    ("version", "says"), [("2025.3.0", "needs 2026.4"), ("2026.4.9", "the engine cannot be loaded")]
)
def test_wrong_or_broken_openvino_is_told_with_all_the_rest(tmp_path: Path, version: str, says: str) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("raise ImportError('libopenvino.so: cannot be opened')\n")
    about = tmp_path / f"openvino-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: openvino\nVersion: {version}\n")
    script = f"from kandong.runtime.doctor import examine; [print(c) for c in examine({str(GOLDEN / 'tied')!r})]"
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    lines = {line.split("'")[1]: line for line in result.stdout.splitlines()}
    assert "problem" in lines["openvino"]
    assert says in lines["openvino"]
    assert "original, complete" in lines["model"]
    assert "cannot be told without OpenVINO" in lines["numerics"]
    assert "cannot be told without OpenVINO" in lines["conversion"]


def test_a_machine_without_loopback_is_warned_about() -> None:
    assert doctor.check_ports().status is Status.OK
    # An address of documentation (RFC 5737), which no machine has.
    check = doctor.check_ports("192.0.2.1")
    assert check.status is Status.WARNING
    assert check.remedy is not None
    assert "loopback" in check.remedy
