"""``kandong keys``: a key is shown once, listed without its secret, revoked and forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kandong.cli.main import main
from kandong.store.database import DATABASE_FILE, Database
from kandong.store.keys import KeyStore


def run(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    code = main(["keys", *arguments, "--data-folder", str(folder)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_key_is_shown_once_and_known_by_its_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, secret, hint = run(capsys, tmp_path, "create", "me", "--scope", "admin", "--days", "30")
    assert code == 0
    assert secret.startswith("kd-")
    assert len(secret.strip()) == 46
    assert "only now" in hint
    assert secret.strip().encode() not in (tmp_path / DATABASE_FILE).read_bytes()
    store = KeyStore(Database(tmp_path / DATABASE_FILE))
    key = store.find(secret.strip())
    assert key is not None
    assert (key.name, key.owner, key.scope) == ("me", "me", "admin")
    _, listed, _ = run(capsys, tmp_path, "list")
    assert "me" in listed
    assert secret.strip() not in listed


def test_revoked_key_is_useless_and_can_be_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, secret, _ = run(capsys, tmp_path, "create", "me", "--json")
    made: dict[str, Any] = json.loads(secret)
    assert run(capsys, tmp_path, "create", "me")[0] == 2  # the name is taken
    assert run(capsys, tmp_path, "revoke", made["id"])[1] == "me: revoked\n"
    store = KeyStore(Database(tmp_path / DATABASE_FILE))
    assert store.find(made["key"]) is None
    assert store.has_any()
    assert run(capsys, tmp_path, "create", "me")[0] == 0
    assert run(capsys, tmp_path, "revoke", "me")[0] == 0
    assert run(capsys, tmp_path, "forget")[1] == "2 forgotten\n"
    assert "no key" in run(capsys, tmp_path, "list")[1]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("create", "two words"), "name must be"),
        (("create", "me", "--scope", "all"), "scope must be"),
        (("create", "me", "--days", "0"), "days must be"),
        (("create", "me", "--max-in-flight", "-1"), "max_in_flight must be"),
        (("revoke", "nobody"), "No live key"),
    ],
)
def test_wrong_use_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    code, _, told = run(capsys, tmp_path, *arguments)
    assert code == 2
    assert word in told
