"""Rules of the house that hold for every file."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kandong

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FOLDERS = ("src", "tests", "bench", "docs", "samples", "scripts", "training")
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
BANNED_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", [p for p in SOURCES if "src" in p.parts and p.read_text("utf-8").strip()], ids=name_of)
def test_modules_and_public_functions_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            definitions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
            parents = [n for n in definitions if node in ast.walk(n)]
            is_inner = any(isinstance(p, ast.FunctionDef) and p is not node for p in parents)
            is_private = any(p.name.startswith("_") for p in parents)
            is_overload = any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)
            assert is_inner or is_private or is_overload or ast.get_docstring(node), node.name


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [p for p in SOURCES if p.stem in BANNED_NAMES]


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == kandong.__version__
    assert f"[{kandong.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8") or "Unreleased" in (
        ROOT / "CHANGELOG.md"
    ).read_text("utf-8")


def test_every_dependency_has_its_reason_in_the_architecture() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for requirement in project["dependencies"]:
        name = re.split(r"[^A-Za-z0-9-]", requirement)[0]
        assert f"`{name}`" in reasons, name


def test_generated_documentation_is_fresh() -> None:
    command = [sys.executable, "-m", "docs.generate", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_error_has_its_own_code_and_is_in_the_drawn_tree() -> None:
    from kandong import errors

    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.KandongError)]
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes))
    for kind in kinds:
        line = next(line for line in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in f"{line} ")
        assert kind.code in line
        assert f"exit {kind.exit_code}" in line


def test_both_readmes_have_the_same_sections_and_commands() -> None:
    english, chinese = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert english.count("\n## ") == chinese.count("\n## ")

    def commands(text: str) -> list[str]:
        blocks = re.findall(r"```(?:bash|python)\n(.*?)```", text, re.DOTALL)
        return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]

    assert commands(english) == commands(chinese)


def test_every_package_of_the_page_has_its_sum_and_no_address() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name  # npm asks the registry that the machine is set up for
        assert name == "" or package["integrity"].startswith("sha512-"), name


def test_the_lockfile_is_of_the_named_packages() -> None:
    wanted, lock = (
        json.loads((ROOT / "web" / name).read_text("utf-8")) for name in ("package.json", "package-lock.json")
    )
    for kind in ("dependencies", "devDependencies"):
        assert lock["packages"][""][kind] == wanted[kind]
        for name, version in wanted[kind].items():
            assert lock["packages"][f"node_modules/{name}"]["version"] == version


def test_every_test_that_reliability_names_is_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    named = set(re.findall(r"\b(test_\w+\.py)", text))
    assert len(named) > 20
    assert named <= {path.name for path in SOURCES}
