"""Simon Willison's ``llm`` command against the real server, set up as its documentation says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import Endpoint


@pytest.fixture
def environ(tmp_path: Path, endpoint: Endpoint) -> dict[str, str]:
    folder = tmp_path / "llm"
    folder.mkdir()
    (folder / "extra-openai-models.yaml").write_text(
        f"- model_id: kandong\n  model_name: default\n  api_base: {endpoint.url}\n  api_key_name: kandong\n"
        "  vision: true\n  supports_schema: true\n"
    )
    (folder / "keys.json").write_text(json.dumps({"kandong": endpoint.key}))
    return os.environ | {"LLM_USER_PATH": str(folder)}


def run(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "llm", "-m", "kandong", "-n", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def test_streamed_question_about_a_picture_is_the_whole_one(environ: dict[str, str], picture: Path) -> None:
    options = ("-a", str(picture), "图里写了什么？", "-o", "temperature", "0", "-o", "max_tokens", "12")
    streamed = run(environ, *options)
    assert streamed
    assert streamed == run(environ, *options, "--no-stream")


def test_schema(environ: dict[str, str]) -> None:
    schema = json.dumps({"type": "object", "properties": {"a": {"enum": ["好", "坏"]}}, "required": ["a"]})
    answer = run(environ, "你好", "--schema", schema, "-o", "max_tokens", "100", "--no-stream")
    assert json.loads(answer)["a"] in ("好", "坏")
