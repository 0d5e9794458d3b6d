"""Names that a model goes by."""

from __future__ import annotations

import pytest

from kandong.server.model_names import aliases_of


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        (
            "Qwen/Qwen3-VL-2B-Instruct",
            ["Qwen3-VL-2B-Instruct", "qwen3-vl-2b-instruct", "qwen/qwen3-vl-2b-instruct", "default"],
        ),
        ("tied", ["default"]),
        ("default", []),
        ("A/", ["A", "a", "a/", "default"]),
    ],
)
def test_aliases(name: str, aliases: list[str]) -> None:
    assert aliases_of(name) == aliases
