"""Pulls from hubs: whole, continued, checked, and never more trusting than they should be."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from kandong.errors import CheckpointError, DownloadError, DownloadRefusedError, InputError, ModelNotFoundError
from kandong.models.catalogue import find_model
from kandong.models.folder import read_manifest
from kandong.models.pull import Watcher, first_listing, pull
from kandong.models.sources import HuggingFace, ModelScope, RemoteFile
from tests.models.hub_server import COMMIT, HubServer, model_files, safetensors

NAME = "Qwen/Qwen3-VL-2B-Instruct"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
NOT_NEEDED = {"README.md", ".gitattributes"}
BOTH = pytest.mark.parametrize("source", ["hf", "modelscope"])


class Notes(Watcher):
    """Keeps what a watcher is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: list[str] = []
        self.total_bytes = self.done_bytes = 0

    def tell(self, text: str) -> None:
        self.lines.append(text)

    def begin(self, what: str, total_bytes: int) -> None:  # noqa: ARG002
        self.total_bytes, self.done_bytes = total_bytes, 0

    def advance(self, num_bytes: int) -> None:
        self.done_bytes += num_bytes

    def finished(self, file: RemoteFile) -> None:
        self.names.append(file.name)


def needed(hub: HubServer) -> dict[str, bytes]:
    return {name: content for name, content in hub.behaviour.files.items() if name not in NOT_NEEDED}


def model_in(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if "kandong-pull" not in p.name}


def closed_url() -> str:
    """Give an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@BOTH
def test_a_whole_model_comes_from_each_hub_and_is_found_by_name(hub: HubServer, source: str, tmp_path: Path) -> None:
    notes = Notes()
    pulled = pull("2b", source, watcher=notes)
    assert pulled.folder == tmp_path / "home" / "models" / "Qwen" / "Qwen3-VL-2B-Instruct"
    assert model_in(pulled.folder) == needed(hub)
    assert find_model("2b").folder == pulled.folder
    assert (pulled.model, pulled.source, pulled.revision) == (NAME, source, COMMIT)
    assert pulled.num_files == len(needed(hub)) == len(notes.names)
    assert pulled.size_bytes == pulled.num_fetched_bytes == sum(map(len, needed(hub).values()))
    assert notes.done_bytes == notes.total_bytes == pulled.size_bytes
    record = json.loads((pulled.folder / "kandong-pull.json").read_text("utf-8"))
    assert (record["source"], record["commit"], record["is_complete"]) == (source, COMMIT, True)
    assert all(re.fullmatch(r"[0-9a-f]{64}", file["sha256"]) for file in record["files"])


def test_a_model_that_is_there_is_checked_without_the_network(hub: HubServer) -> None:
    first = pull("2b", "hf")
    num_requests = len(hub.behaviour.requests)
    again = pull("2b")
    assert (again.num_fetched_bytes, again.size_bytes) == (0, first.size_bytes)
    assert len(hub.behaviour.requests) == num_requests
    (first.folder / FIRST).write_bytes(safetensors(300_000, 9))
    repaired = pull("2b")
    assert repaired.num_fetched_bytes == len(hub.behaviour.files[FIRST])
    assert model_in(first.folder) == needed(hub)
    assert not [path for path, _ in hub.behaviour.requests[num_requests:] if path.endswith(SECOND)]


@BOTH
def test_a_cut_file_is_continued_where_it_stopped(hub: HubServer, source: str) -> None:
    hub.behaviour.cuts = [100_000, 50_000]
    pulled = pull("2b", source)
    assert model_in(pulled.folder) == needed(hub)
    ranges = [headers["range"] for headers in hub.requested("safetensors") if "range" in headers]
    assert ranges == ["bytes=100000-", "bytes=150000-"]


def test_a_pull_given_up_goes_on_at_the_same_commit(hub: HubServer) -> None:
    hub.behaviour.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match="again and again") as caught:
        pull("2b", "hf")
    assert caught.value.retryable
    assert caught.value.exit_code == 6
    with pytest.raises(ModelNotFoundError):
        find_model("2b")
    hub.behaviour.requests.clear()
    notes = Notes()
    assert model_in(pull("2b", watcher=notes).folder) == needed(hub)
    assert hub.requested(f"/revision/{COMMIT}")
    assert not hub.requested("/revision/main")
    assert not hub.requested("/repo/files")  # going on from the same hub, the other is not asked
    assert [h["range"] for h in hub.requested("safetensors") if "range" in h] == ["bytes=100000-"]
    assert "going on from hf" in notes.lines[0]


def test_a_pull_goes_on_from_the_other_hub_if_the_first_has_gone(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.behaviour.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        pull("2b", "hf")
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    pulled = pull("2b")
    assert pulled.source == "modelscope"
    assert model_in(pulled.folder) == needed(hub)
    # The bytes are the same at both, known by their sum, so even the half file is used.
    assert [h["range"] for h in hub.requested("repo?") if "range" in h] == ["bytes=100000-"]


@pytest.mark.parametrize(
    ("fault", "asked_to_continue"), [("ignores_range", [False, True]), ("lies_about_range", [False, True, False])]
)
def test_a_server_that_cannot_continue_sends_the_file_from_its_beginning(
    hub: HubServer, fault: str, asked_to_continue: list[bool]
) -> None:
    setattr(hub.behaviour, fault, True)
    hub.behaviour.cuts = [100_000]
    notes = Notes()
    assert model_in(pull("2b", "hf", watcher=notes).folder) == needed(hub)
    assert ["range" in headers for headers in hub.requested(FIRST)] == asked_to_continue
    assert notes.done_bytes == notes.total_bytes


def test_a_file_that_changes_meanwhile_in_a_web_folder_is_not_mixed(hub: HubServer) -> None:
    class Changing(Watcher):
        def finished(self, file: RemoteFile) -> None:
            if file.name == "config.json":
                hub.behaviour.files = {**hub.behaviour.files, FIRST: safetensors(300_000, 77)}

    with pytest.raises(DownloadRefusedError, match="changed at its source"):
        pull("2b", f"{hub.url}/plain", watcher=Changing())
    assert model_in(pull("2b", f"{hub.url}/plain").folder) == needed(hub)


def test_a_redirect_to_a_file_of_this_machine_is_refused(hub: HubServer) -> None:
    hub.behaviour.redirect_to = "file:///etc"
    with pytest.raises(DownloadRefusedError, match="redirects to where nothing"):
        pull("2b", "hf")


def test_a_file_that_changed_between_two_pulls_is_not_mixed(hub: HubServer) -> None:
    hub.behaviour.has_commit = False  # only a branch: what it means may change
    hub.behaviour.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        pull("2b", "modelscope")
    hub.behaviour.files = {**hub.behaviour.files, FIRST: safetensors(300_000, 77)}
    pulled = pull("2b", "modelscope")
    assert model_in(pulled.folder) == needed(hub)
    assert pulled.revision == "master"
    assert not list(pulled.folder.glob("*.part"))


@BOTH
@pytest.mark.parametrize("name", [FIRST, "tokenizer.json"])
def test_a_wrong_sum_is_fetched_again_once_and_then_told(hub: HubServer, source: str, name: str) -> None:
    hub.behaviour.num_wrong = {name: 2}
    with pytest.raises(DownloadError, match=rf"{name} came from 127.0.0.1 with a wrong sum"):
        pull("2b", source)
    with pytest.raises(ModelNotFoundError):
        find_model("2b")
    hub.behaviour.num_wrong = {name: 1}
    assert model_in(pull("2b", source).folder) == needed(hub)


@BOTH
@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil.json", "a/../../evil.json", "..\\evil.json", "C:evil.json", "nul.json", "e\nvil.json"],
)
def test_a_hostile_file_name_is_refused_before_anything_is_fetched(
    hub: HubServer, source: str, name: str, tmp_path: Path
) -> None:
    hub.behaviour.extra_names = [name]
    with pytest.raises(DownloadRefusedError, match="file name"):
        pull("2b", source)
    assert not [p for p in tmp_path.rglob("*") if "evil" in p.name or p.suffix == ".part"]


def test_two_names_that_one_disk_holds_equal_are_refused(hub: HubServer) -> None:
    hub.behaviour.extra_names = ["CONFIG.json"]
    with pytest.raises(DownloadRefusedError, match="twice"):
        pull("2b", "hf")


def test_files_in_folders_are_left_out(hub: HubServer) -> None:
    hub.behaviour.extra_names = ["onnx/config.json"]
    assert model_in(pull("2b", "hf").folder) == needed(hub)


def test_a_busy_server_is_asked_again(hub: HubServer) -> None:
    hub.behaviour.statuses = [500, 503]
    hub.behaviour.file_statuses = [502, 429]
    assert model_in(pull("2b", "hf").folder) == needed(hub)
    hub.behaviour.statuses = [500] * 5
    with pytest.raises(DownloadError, match="status 500, again and again"):
        pull("4b", "hf")


def test_a_gated_model_says_how_to_get_in_and_takes_the_token(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.behaviour.token = "hf_secret"
    with pytest.raises(DownloadRefusedError, match="status 401") as caught:
        pull("2b", "hf")
    assert "HF_TOKEN" in (caught.value.hint or "")
    assert not caught.value.retryable
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert model_in(pull("2b", "hf").folder) == needed(hub)


@BOTH
def test_the_token_does_not_follow_a_redirect(hub: HubServer, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "hf_secret")
    with HubServer(hub.behaviour.files) as store:
        hub.behaviour.redirect_to = store.url
        store.behaviour.cuts = [100_000]
        assert model_in(pull("2b", source).folder) == needed(hub)
        assert len(store.requested("/cdn/")) == 3
        assert not [h for _, h in store.behaviour.requests if "hf_secret" in str(h)]
        assert all(h.get("authorization") == "Bearer hf_secret" for _, h in hub.behaviour.requests)


def test_the_token_does_not_follow_a_link_to_the_next_page(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with HubServer(hub.behaviour.files) as other:
        hub.behaviour.next_page_at = other.url
        assert model_in(pull("2b", "hf").folder) == needed(hub)
        assert len(other.behaviour.requests) == 1
        assert "hf_secret" not in str(other.behaviour.requests)


def test_a_model_under_repair_is_not_found_until_it_is_whole_again(hub: HubServer) -> None:
    folder = pull("2b", "hf").folder
    (folder / FIRST).write_bytes(b"damaged")
    hub.behaviour.cuts = [0] * 5
    with pytest.raises(DownloadError):
        pull("2b")
    with pytest.raises(ModelNotFoundError):
        find_model("2b")
    assert model_in(pull("2b").folder) == needed(hub)
    assert len(hub.requested("config.json")) == 1
    assert find_model("2b").folder == folder


def test_what_is_not_there_is_told(hub: HubServer) -> None:
    with pytest.raises(DownloadRefusedError, match="no such model, revision or file") as caught:
        pull("2b", "hf", "nowhere")
    assert not caught.value.retryable
    assert hub.requested("/revision/nowhere")


def test_auto_takes_the_hub_that_answers_first(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()
    with HubServer(model_files()) as slow:
        slow.behaviour.answer_delay_s = 0.5
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", slow.url)
        assert pull("2b", watcher=notes).source == "hf"
        assert "source: hf" in notes.lines[0]
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_ENDPOINT", slow.url)
        assert pull("4b").source == "modelscope"
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    assert first_listing((HuggingFace(), ModelScope()), NAME, None)[0].kind == "modelscope"
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", closed_url())
    with pytest.raises(DownloadError, match=r"127.0.0.1: no connection.*127.0.0.1: no connection") as caught:
        pull("8b")
    assert caught.value.retryable


def test_a_proxy_is_used_except_where_it_shall_not_be(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    assert model_in(pull("2b", "hf").folder) == needed(hub)
    assert all(path.startswith("http://hub.invalid/") for path, _ in hub.behaviour.requests)
    monkeypatch.setenv("NO_PROXY", "hub.invalid")
    with pytest.raises(DownloadError, match="no connection"):
        pull("4b", "hf")


def test_a_web_folder_is_fetched_with_and_without_sums(hub: HubServer) -> None:
    hub.behaviour.cuts = [100_000]
    pulled = pull("2b", f"{hub.url}/plain/")
    assert model_in(pulled.folder) == needed(hub)
    assert [h["if-range"] for h in hub.requested("/plain/") if "range" in h]
    assert pull("2b").num_fetched_bytes == 0
    # Another machine serves the folder that this pull made: now the sums are known.
    with HubServer({p.name: p.read_bytes() for p in pulled.folder.iterdir()}) as other:
        other.behaviour.num_wrong = {FIRST: 2}
        with pytest.raises(DownloadError, match="wrong sum"):
            pull("4b", f"{other.url}/plain")
        assert model_in(pull("4b", f"{other.url}/plain").folder) == needed(hub)


def test_a_moved_branch_is_fetched_when_it_is_asked_for(hub: HubServer) -> None:
    folder = pull("2b", "hf").folder
    files = dict(hub.behaviour.files)
    del files[FIRST], files[SECOND], files["model.safetensors.index.json"]
    hub.behaviour.files = files | {"model.safetensors": safetensors(1000, 5)}
    assert pull("2b", "hf").num_fetched_bytes == 0
    assert pull("2b", "hf", "main").num_fetched_bytes == len(safetensors(1000, 5))
    assert model_in(folder) == needed(hub)


def test_what_is_no_whole_qwen3_vl_is_refused_before_the_weights_come(hub: HubServer) -> None:
    hub.behaviour.files = {**hub.behaviour.files, "config.json": b'{"model_type": "llama"}'}
    with pytest.raises(CheckpointError, match="not a dense Qwen3-VL"):
        pull("someone/Llama", "hf")
    hub.behaviour.files = model_files()
    del hub.behaviour.files[SECOND]
    with pytest.raises(DownloadRefusedError, match=SECOND):
        pull("someone/Half", "hf")
    assert not hub.requested("safetensors?")
    assert not [path for path, _ in hub.behaviour.requests if path.endswith(".safetensors")]


@pytest.mark.parametrize(
    ("model", "source", "field"),
    [
        ("../2b", "hf", "model"),
        ("../../etc/x", "hf", "model"),
        ("nobody", "hf", "model"),
        ("2b", "ftp://x/y", "source"),
    ],
)
def test_wrong_use_names_the_argument(hub: HubServer, model: str, source: str, field: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        pull(model, source)
    assert caught.value.field == field
    assert not hub.behaviour.requests
    assert not (tmp_path / "home").exists()


def test_a_broken_record_is_not_believed(hub: HubServer) -> None:
    folder = pull("2b", "hf").folder
    for text in ("", "[]", '{"format": 1}', '{"format": 1, "files": [{"name": "../x", "size_bytes": 1}]}'):
        (folder / "kandong-pull.json").write_text(text, "utf-8")
        assert read_manifest(folder) is None
    assert pull("2b", "hf").num_fetched_bytes == 0
    assert model_in(folder) == needed(hub)
