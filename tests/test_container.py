"""The container files say what they should, and the installation needs no library that the image does not have."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
# What Debian's slim image has (Priority: required, and what apt needs), besides the C library's own parts.
SLIM = re.compile(
    r"(linux-vdso|ld-linux.*|libc|libm|libdl|libpthread|librt|libutil|libresolv|libstdc\+\+|libgcc_s|libz)\.so\.\d+"
)


def instructions() -> list[tuple[str, str]]:
    """Give the Dockerfile's instructions, lines joined, without comments."""
    text = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    joined = text.replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1].strip()) for line in joined.splitlines() if line.strip()]


def test_image_is_of_several_stages_and_runs_without_rights() -> None:
    found = instructions()
    stages = [value for name, value in found if name == "FROM"]
    assert len(stages) == 3
    assert all(":" in stage.split()[0] and not stage.split()[0].endswith(":latest") for stage in stages)
    assert "node" not in stages[-1]
    last = found[[i for i, (name, _) in enumerate(found) if name == "FROM"][-1] :]
    names = [name for name, _ in last]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", dict(last)["USER"])
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert {"HEALTHCHECK", "VOLUME", "EXPOSE", "STOPSIGNAL"} <= set(names)
    assert not [name for name, _ in found if name == "ADD"]
    assert "sudo" not in DOCKERFILE
    assert not re.search(r"apt-get install(?!.*--no-install-recommends)", DOCKERFILE)
    assert not re.search(r"(KEY|TOKEN|SECRET|PASSWORD)=", DOCKERFILE)


@pytest.mark.skipif(sys.platform != "linux", reason="installed on Linux alone")
def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([str(hadolint), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    for name, value in instructions():
        if name != "COPY" or value.startswith("--from"):
            continue
        *sources, _ = shlex.split(value)
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source


def test_health_is_asked_of_a_route_that_exists() -> None:
    from kandong.server.app import all_routes

    (command,) = [value for name, value in instructions() if name == "HEALTHCHECK"]
    path = re.search(r"8765(/\w+)", command)
    assert path
    assert path[1] in {route.path for route in all_routes().all if route.scope == "public"}


def test_variables_of_the_image_are_settings() -> None:
    from kandong.settings import load_settings

    found = dict(re.findall(r"(KANDONG_\w+)=(\S+)", DOCKERFILE))
    assert load_settings({}, found).host == "0.0.0.0"
    assert f"EXPOSE {load_settings({}, found).port}" in DOCKERFILE


def test_compose_publishes_on_loopback_and_gives_time_to_end() -> None:
    from kandong.settings import Settings

    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    service = compose["services"]["kandong"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings().drain_s + 10
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["kandong:/data"]
    assert "kandong" in compose["volumes"]


def installed() -> list[Distribution]:
    """Give what `pip install kandong` installs: the dependencies of dependencies, without extras."""
    found: dict[str, Distribution] = {}
    waiting = ["kandong"]
    while waiting:
        name = re.split(r"[^A-Za-z0-9._-]", waiting.pop())[0].lower()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system
        if name not in found:
            found[name] = package
            waiting += [r for r in package.requires or () if "extra ==" not in r]
    return list(found.values())


@pytest.mark.skipif(sys.platform != "linux", reason="reads how Linux loads libraries")
def test_compiled_files_need_only_what_a_slim_debian_has() -> None:
    packages = installed()
    assert len(packages) > 30
    files = {
        str(path): package.name
        for package in packages
        for file in package.files or ()
        if re.search(r"\.so(\.\w+)*$", file.name) and (path := Path(str(file.locate()))).is_file()
    }
    assert len(files) > 50
    own = {Path(file).name for file in files}
    ended = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False)
    foreign: dict[str, set[str]] = {}
    current = ""
    for line in ended.stdout.splitlines():
        if line.endswith(":") and not line.startswith("\t"):
            current = line.rstrip(":")
        elif needed := re.match(r"\t(\S+?)(?: => (.*?))?(?: \(0x|$)", line):
            library = Path(needed[1]).name
            if library not in own and not SLIM.fullmatch(library) and "statically" not in line:
                foreign.setdefault(library, set()).add(Path(current).name)
    # The plugin for graphics cards is loaded only when that device is asked for, which Kandong never does.
    assert foreign.pop("libOpenCL.so.1", set()) <= {"libopenvino_intel_gpu_plugin.so"}
    assert foreign == {}
