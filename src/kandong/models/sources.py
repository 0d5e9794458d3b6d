"""Where models can be fetched from: Hugging Face, ModelScope, and a plain web folder.

Owns: how each source lists a repository's files with sizes and sums, the address of each file, which files a model
needs, and which names are never taken. Must not know: files on disk, progress.

Sources: the addresses are those that huggingface_hub 2.4.0 and modelscope-hub 0.5.1 ask.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import quote, urljoin

import httpx

from kandong.errors import DownloadRefusedError, InputError
from kandong.models.web import Login, Web, host_of

MANIFEST_FILE = "kandong-pull.json"
INDEX_FILE = "model.safetensors.index.json"
HUGGING_FACE = "https://huggingface.co"
MODELSCOPE = "https://www.modelscope.cn"
_PLAIN_WEIGHTS = "model.safetensors"
_PLAIN_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
)
_NEEDED = re.compile(r".+\.(json|jinja|safetensors)|merges\.txt|vocab\.txt|tokenizer\.model", re.IGNORECASE)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", re.ASCII)
_DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_PAGES = 50


@dataclass(frozen=True)
class RemoteFile:
    """A file that a source has. ``name`` is safe: no folders, no special names."""

    name: str
    size_bytes: int
    sha256: str | None = None
    git_sha1: str | None = None  # of git's blob object; given by Hugging Face where there is no SHA-256
    validator: str | None = None  # ETag or date, where there is no sum

    @property
    def identity(self) -> str | None:
        """Name the content; ``None`` if the source gives nothing by which a change could be seen."""
        return self.sha256 or self.git_sha1 or self.validator


@dataclass(frozen=True)
class Listing:
    """The needed files of one repository. ``commit`` is an id that never moves, or ``None`` if there is none."""

    revision: str
    commit: str | None
    files: tuple[RemoteFile, ...]


class Source(Protocol):
    """A place that has a model."""

    kind: str
    base_url: str
    login: Login

    def list_files(self, web: Web, model: str, revision: str | None) -> Listing:
        """List a model's files; ``None`` is the default branch. Errors: ``DownloadError``."""

    def url_of(self, model: str, listing: Listing, name: str) -> str:
        """Give the address of a file."""


class HuggingFace:
    """Hugging Face's hub, or the mirror that ``HF_ENDPOINT`` names; ``HF_TOKEN`` for gated models."""

    kind = "hf"

    def __init__(self) -> None:
        """Read the environment."""
        self.base_url = _endpoint("HF_ENDPOINT", HUGGING_FACE)
        token = _token("HF_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        hint = "Look at the model's spelling; if it is gated, accept its terms on its page and set HF_TOKEN."
        self.login = Login(self.base_url, headers, hint)

    def list_files(self, web: Web, model: str, revision: str | None) -> Listing:
        """Turn the revision into a commit, then list that commit, page by page."""
        revision = revision or "main"
        api = f"{self.base_url}/api/models/{quote(model)}"
        answer, _ = web.read_json(f"{api}/revision/{quote(revision, safe='')}", self.login)
        commit = answer.get("sha") if isinstance(answer, dict) else None
        if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
            raise _strange(self.base_url)
        entries: list[Any] = []
        url = f"{api}/tree/{commit}?recursive=true"
        for _ in range(_MAX_PAGES):
            page, response = web.read_json(url, self.login)
            if not isinstance(page, list):
                raise _strange(self.base_url)
            entries += page
            following = response.links.get("next", {}).get("url")
            if not following:
                break
            url = urljoin(str(response.url), following)
        files = [_hugging_face_file(e) for e in entries if isinstance(e, dict) and e.get("type") == "file"]
        return Listing(revision, commit, needed_files(files, self.base_url))

    def url_of(self, model: str, listing: Listing, name: str) -> str:
        """Give the address of a file at the commit."""
        return f"{self.base_url}/{quote(model)}/resolve/{listing.commit}/{quote(name)}"


class ModelScope:
    """ModelScope's hub, or the one that ``MODELSCOPE_ENDPOINT`` names; ``MODELSCOPE_API_TOKEN`` for private models."""

    kind = "modelscope"

    def __init__(self) -> None:
        """Read the environment."""
        self.base_url = _endpoint("MODELSCOPE_ENDPOINT", MODELSCOPE)
        token = _token("MODELSCOPE_API_TOKEN")
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"m_session_id={token}"} if token else {}
        self.login = Login(
            self.base_url, headers, "Look at the model's spelling; if private, set MODELSCOPE_API_TOKEN."
        )

    def list_files(self, web: Web, model: str, revision: str | None) -> Listing:
        """List the branch. Where the hub tells no full commit id, the sums of the files are what is held on to."""
        revision = revision or "master"
        query = f"Revision={quote(revision, safe='')}&Recursive=True"
        answer, _ = web.read_json(f"{self.base_url}/api/v1/models/{quote(model)}/repo/files?{query}", self.login)
        data = answer.get("Data") if isinstance(answer, dict) else None
        if isinstance(answer, dict) and answer.get("Success") is False:
            raise DownloadRefusedError(
                f"{host_of(self.base_url)} has no such model or revision.", hint="Look at the spelling."
            )
        entries = data.get("Files") if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise _strange(self.base_url)
        files = [_modelscope_file(e) for e in entries if isinstance(e, dict) and e.get("Type") != "tree"]
        latest = data.get("LatestCommitter") if isinstance(data, dict) else None
        told = [revision, latest.get("Id") if isinstance(latest, dict) else None]
        commit = next((c for c in told if isinstance(c, str) and _COMMIT.fullmatch(c)), None)
        return Listing(revision, commit, needed_files(files, self.base_url))

    def url_of(self, model: str, listing: Listing, name: str) -> str:
        """Give the address of a file at the commit, or else on the branch."""
        revision = quote(listing.commit or listing.revision, safe="")
        return f"{self.base_url}/api/v1/models/{quote(model)}/repo?Revision={revision}&FilePath={quote(name, safe='')}"


class WebFolder:
    """A web folder with a model's files, such as another machine's model folder behind a file server.

    If it has the record of a pull, that gives sizes and SHA-256; otherwise only sizes are known.
    """

    kind = "url"

    def __init__(self, url: str) -> None:
        """Take the folder's address."""
        self.base_url = url.split("?")[0].split("#")[0].rstrip("/")
        self.login = Login(self.base_url)

    def list_files(self, web: Web, model: str, revision: str | None) -> Listing:  # noqa: ARG002 (a folder is one model)
        """Read the record, or else ask for each file that a model may have."""
        if revision is not None:
            raise InputError("A web folder has no revisions.", hint="Leave --revision out.", field="revision")
        try:
            record, _ = web.read_json(f"{self.base_url}/{MANIFEST_FILE}", self.login)
        except DownloadRefusedError:
            return Listing("", None, self._ask_for_each(web))
        entries = record.get("files") if isinstance(record, dict) else None
        if not isinstance(entries, list):
            raise _strange(self.base_url)
        files = [_file(e.get("name"), e.get("size_bytes"), sha256=e.get("sha256")) for e in map(_as_dict, entries)]
        return Listing("", None, needed_files(files, self.base_url))

    def url_of(self, model: str, listing: Listing, name: str) -> str:  # noqa: ARG002
        """Give the address of a file."""
        return f"{self.base_url}/{quote(name)}"

    def _ask_for_each(self, web: Web) -> tuple[RemoteFile, ...]:
        try:
            index, _ = web.read_json(f"{self.base_url}/{INDEX_FILE}", self.login)
            weights = {INDEX_FILE} | set(_as_dict(_as_dict(index).get("weight_map")).values())
        except DownloadRefusedError:
            weights = {_PLAIN_WEIGHTS}
        names = [*_PLAIN_FILES, *sorted(name for name in weights if isinstance(name, str))]
        safe = [name for name in names if is_needed(name, self.base_url)]
        files = [found for name in safe if (found := self._ask_for(web, name))]
        return needed_files(files, self.base_url)

    def _ask_for(self, web: Web, name: str) -> RemoteFile | None:
        def once() -> httpx.Headers:
            with web.open("HEAD", f"{self.base_url}/{quote(name)}", self.login) as response:
                return response.headers

        try:
            headers: httpx.Headers = web.patiently(once, host_of(self.base_url))
        except DownloadRefusedError:
            return None
        size = headers.get("Content-Length", "")
        if not (size.isascii() and size.isdigit()):
            raise DownloadRefusedError(f"{host_of(self.base_url)} does not tell the size of {name}.")
        # A weak ETag does not promise the same bytes.
        etag = headers.get("ETag")
        validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
        return RemoteFile(name, int(size), validator=validator)


def hubs() -> Sequence[Source]:
    """Give the public hubs, for ``--source auto``."""
    return (ModelScope(), HuggingFace())


def source_named(name: str) -> Source:
    """Find the source for ``modelscope``, ``hf`` or an address. Errors: ``InputError``."""
    kinds: dict[str, Callable[[], Source]] = {"modelscope": ModelScope, "hf": HuggingFace}
    if name in kinds:
        return kinds[name]()
    if re.match(r"https?://[^/\s@]+", name):
        return WebFolder(name)
    raise InputError(
        f"{name} is no source.",
        hint="Use auto, modelscope, hf, an address with http(s)://, or an existing folder.",
        field="source",
    )


def needed_files(files: Sequence[RemoteFile], base_url: str) -> tuple[RemoteFile, ...]:
    """Pick what a model needs, by name. Errors: ``DownloadRefusedError`` for names that could do harm, or no model."""
    taken: dict[str, RemoteFile] = {}
    for file in files:
        if not is_needed(file.name, base_url):
            continue
        # Two names that one disk keeps apart and another does not would overwrite each other.
        if file.name.lower() in taken:
            raise DownloadRefusedError(f"{host_of(base_url)} lists {file.name} twice.")
        if file.size_bytes < 0:
            raise DownloadRefusedError(f"{host_of(base_url)} does not tell the size of {file.name}.")
        taken[file.name.lower()] = file
    if "config.json" not in {file.name for file in taken.values()} or not any(
        name.endswith(".safetensors") for name in taken
    ):
        raise DownloadRefusedError(
            f"What {host_of(base_url)} offers is no model: config.json or safetensors are missing.",
            hint="A web folder is given by the address of the folder that has config.json.",
        )
    return tuple(sorted(taken.values(), key=lambda file: (file.size_bytes, file.name)))


def is_needed(name: str, base_url: str) -> bool:
    """Tell whether a listed name is a needed file. Errors: ``DownloadRefusedError`` for a name that leads elsewhere."""
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "~")) or "\\" in name or {"", ".", ".."} & set(parts) or not name.isprintable():
        raise DownloadRefusedError(f"{host_of(base_url)} lists a file name that leads out of the model's folder.")
    if len(parts) > 1 or not _NEEDED.fullmatch(name) or name.lower() == MANIFEST_FILE:
        return False
    if not has_plain_name(name):
        raise DownloadRefusedError(f"{host_of(base_url)} lists a file name that cannot be used on every system.")
    return True


def has_plain_name(name: str) -> bool:
    """Tell whether a file may have this name on every system."""
    return bool(_SAFE_NAME.fullmatch(name)) and not _DEVICE_NAME.fullmatch(name)


def _hugging_face_file(entry: dict[str, Any]) -> RemoteFile:
    lfs = entry.get("lfs")
    if isinstance(lfs, dict):
        return _file(entry.get("path"), lfs.get("size"), sha256=lfs.get("oid"))
    found = _file(entry.get("path"), entry.get("size"))
    git_sha1 = entry.get("oid")
    return replace(found, git_sha1=git_sha1 if isinstance(git_sha1, str) and _COMMIT.fullmatch(git_sha1) else None)


def _modelscope_file(entry: dict[str, Any]) -> RemoteFile:
    return _file(entry.get("Path"), entry.get("Size"), sha256=entry.get("Sha256"))


def _file(name: object, size_bytes: object, *, sha256: object = None) -> RemoteFile:
    if not isinstance(name, str):
        raise DownloadRefusedError("The source's list of files has an entry without a name.")
    lower = sha256.lower() if isinstance(sha256, str) else ""
    # Only a needed file must have a size; -1 is refused there.
    known_size_bytes = size_bytes if isinstance(size_bytes, int) and not isinstance(size_bytes, bool) else -1
    return RemoteFile(name, known_size_bytes, sha256=lower if _SHA256.fullmatch(lower) else None)


def _as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strange(base_url: str) -> DownloadRefusedError:
    return DownloadRefusedError(
        f"{host_of(base_url)} does not answer as a model source does.",
        hint="Look at HF_ENDPOINT and MODELSCOPE_ENDPOINT, or choose another --source.",
    )


def _endpoint(variable: str, default: str) -> str:
    value = os.environ.get(variable, "").strip().rstrip("/")
    if not value:
        return default
    return value if value.lower().startswith(("http://", "https://")) else f"https://{value}"


def _token(variable: str) -> str | None:
    token = os.environ.get(variable, "").strip()
    if not token:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise InputError(f"{variable} holds characters that no token has.", field="source")
    return token
