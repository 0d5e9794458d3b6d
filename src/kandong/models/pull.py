"""``pull``: a model from a hub, an address or a folder into Kandong's own model folder, whole and checked.

Owns: the order of things: which source, what is there already, room on the disk, each file, the record. While files are
missing the folder has no config.json, so that a half model is never found as a model.
Must not know: HTTP, how progress is shown.
"""

from __future__ import annotations

import errno
import queue
import re
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kandong.errors import (
    CheckpointError,
    DiskSpaceError,
    DownloadError,
    DownloadRefusedError,
    InputError,
    KandongError,
)
from kandong.models.catalogue import DEFAULT_MODEL, full_name, models_folder
from kandong.models.folder import (
    Manifest,
    check_config,
    check_weights,
    has_file,
    only_pull,
    read_manifest,
    sums_of,
    weight_files,
    write_manifest,
)
from kandong.models.sources import (
    INDEX_FILE,
    Listing,
    RemoteFile,
    Source,
    has_plain_name,
    hubs,
    needed_files,
    source_named,
)
from kandong.models.transfer import CopyTransfer, Transfer, WebTransfer
from kandong.models.web import Web

AUTO = "auto"
CONFIG_FILE = "config.json"
DISK_MARGIN_BYTES = 256 * 1024 * 1024
_RACE_TRIES = 2
_RACE_LIMIT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True)
class Pulled:
    """A model that is there. ``revision`` is the commit where the source has one."""

    model: str
    folder: Path
    source: str
    revision: str | None
    num_files: int
    size_bytes: int
    num_fetched_bytes: int  # 0: it was there already


class Watcher:
    """Is told how a pull goes; this one keeps it to itself."""

    def tell(self, text: str) -> None:
        """Take a line for the user."""

    def begin(self, what: str, total_bytes: int) -> None:
        """A stage begins, of so many bytes."""

    def advance(self, num_bytes: int) -> None:
        """The stage came further; negative if bytes were thrown away."""

    def finished(self, file: RemoteFile) -> None:
        """A file is whole and checked."""


def pull(
    model: str | None = None, source: str = AUTO, revision: str | None = None, watcher: Watcher | None = None
) -> Pulled:
    """Bring a model into ``models_folder()/owner/name``, or go on with an interrupted pull.

    ``model`` is a name as ``find_model`` takes it; ``None`` is the name of the source's folder, or the default model.
    ``source`` is auto, modelscope, hf, an address or a folder. ``revision`` is a branch, tag or commit id.
    Errors: ``DownloadError`` and its kinds; ``CheckpointError`` if it is no whole Qwen3-VL; ``InputError``.
    """
    watcher = watcher or Watcher()
    origin = Path(source).expanduser()
    is_folder = source not in (AUTO, "hf", "modelscope") and origin.is_dir()
    if source != AUTO and not is_folder:
        source_named(source)
    name = _model_name(model, source)
    folder = models_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_pull(folder, name):
            at_work = _Pull(name, folder, revision, watcher)
            return at_work.from_folder(origin) if is_folder else at_work.from_web(source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskSpaceError(
                "The disk is full.", hint="Make room and run the same command again; it goes on from here."
            ) from None
        raise DownloadError(
            f"The model's files cannot be read or written ({type(error).__name__}).",
            hint="Look at the folder's rights; $KANDONG_HOME names another place.",
        ) from None


def _model_name(model: str | None, source: str) -> str:
    """Give ``owner/name``. Errors: ``InputError`` for what can be no name in any folder."""
    if model is None and source not in (AUTO, "hf", "modelscope"):
        name = full_name(re.split(r"[/\\]", source.rstrip("/\\"))[-1])
        if name is None:
            raise InputError(
                "Which model is it?", hint="Name it before --source, for example: kandong pull 2b.", field="model"
            )
    else:
        name = full_name(model or DEFAULT_MODEL)
    if name is None or not _NAME.fullmatch(name):
        raise InputError(
            f"{model} is no model's name.", hint="Use 2b, 4b, 8b or a name such as owner/model.", field="model"
        )
    return name


class _Pull:
    """One pull, inside the lock."""

    def __init__(self, model: str, folder: Path, revision: str | None, watcher: Watcher) -> None:
        self._model = model
        self._folder = folder
        self._revision = revision
        self._watcher = watcher
        self._earlier = read_manifest(folder)

    def from_web(self, source_name: str) -> Pulled:
        """Take the model as it lies there if it is right; otherwise choose a source and fetch what is missing."""
        earlier = self._earlier
        if earlier and earlier.is_complete and self._revision in (None, earlier.commit):
            if not self._missing(earlier.files):
                return self._pulled(earlier, num_fetched_bytes=0)
            self._watcher.tell("some files are missing or damaged and are fetched again")
        with Web() as web:
            source, listing = self._choose(web, source_name)
            manifest = Manifest(
                model=self._model,
                source=source.kind,
                base_url=source.base_url,
                revision=listing.revision,
                commit=listing.commit,
                is_complete=False,
                files=self._with_known_sums(listing.files, source.base_url),
            )
            return self._bring(manifest, WebTransfer(web, source, self._model, listing))

    def from_folder(self, origin: Path) -> Pulled:
        """Take the files of a folder, without any network; its record's sums are checked if it has one."""
        if self._revision is not None:
            raise InputError("A folder has no revisions.", hint="Leave --revision out.", field="revision")
        if not (origin / CONFIG_FILE).is_file():
            raise CheckpointError("The folder has no config.json.", field="source")
        check_config(origin / CONFIG_FILE)
        check_weights(origin)
        paths = [p for p in sorted(origin.iterdir()) if p.is_file() and has_plain_name(p.name)]
        files = needed_files([RemoteFile(p.name, p.stat().st_size) for p in paths], "")
        record = read_manifest(origin)
        told = {f.name: f for f in record.files} if record else {}
        self._watcher.begin("checking", sum(f.size_bytes for f in files))
        summed = tuple(replace(f, sha256=sums_of(origin / f.name, f, self._watcher.advance).sha256) for f in files)
        for file in summed:
            if file.name in told and told[file.name].sha256 not in (None, file.sha256):
                raise CheckpointError(f"{file.name} is not what was once fetched: it is damaged or was changed.")
        manifest = Manifest(
            model=self._model,
            source="folder",
            base_url=None,
            revision=record.revision if record else "",
            commit=record.commit if record else None,
            is_complete=False,
            files=summed,
        )
        if origin.resolve() == self._folder.resolve():
            manifest = replace(manifest, is_complete=True)
            write_manifest(self._folder, manifest)
            return self._pulled(manifest, num_fetched_bytes=0)
        return self._bring(manifest, CopyTransfer(origin))

    def _choose(self, web: Web, source_name: str) -> tuple[Source, Listing]:
        """Choose the source and list its files, at the commit of an interrupted pull if it was of the same kind."""
        earlier, wanted = self._earlier, self._revision
        goes_on = earlier if earlier and wanted in (None, earlier.commit) else None
        if earlier and not earlier.is_complete and wanted == earlier.revision:
            goes_on = earlier
        if source_name != AUTO:
            source = source_named(source_name)
            same = goes_on if goes_on and goes_on.source == source.kind else None
            return source, self._list(web, source, same)
        if goes_on and goes_on.base_url and goes_on.source in ("hf", "modelscope", "url"):
            source = source_named(goes_on.base_url if goes_on.source == "url" else goes_on.source)
            try:
                with Web(max_tries=_RACE_TRIES, is_brisk=True) as brisk:
                    listing = self._list(brisk, source, goes_on)
            except DownloadError as error:
                self._watcher.tell(f"going on from {source.kind} is not possible: {error.message}")
            else:
                self._watcher.tell(f"going on from {source.kind} ({source.base_url})")
                return source, listing
        source, listing = first_listing(hubs(), self._model, wanted)
        self._watcher.tell(f"source: {source.kind} ({source.base_url}), which answered first")
        return source, listing

    def _list(self, web: Web, source: Source, earlier: Manifest | None) -> Listing:
        revision = (earlier.commit or earlier.revision or None) if earlier else self._revision
        listing = source.list_files(web, self._model, revision)
        return replace(listing, revision=earlier.revision) if earlier else listing

    def _with_known_sums(self, files: Sequence[RemoteFile], base_url: str) -> tuple[RemoteFile, ...]:
        """Add the sums seen earlier where the source gives none and its file did not change since."""
        earlier = self._earlier.files if self._earlier and self._earlier.base_url == base_url else ()
        known: dict[tuple[str, int, str | None], str | None] = {
            (f.name, f.size_bytes, f.validator): f.sha256 for f in earlier if f.validator
        }
        return tuple(
            f if f.sha256 or f.git_sha1 else replace(f, sha256=known.get((f.name, f.size_bytes, f.validator)))
            for f in files
        )

    def _missing(self, files: Sequence[RemoteFile]) -> list[RemoteFile]:
        """List the files that do not lie in the folder as they should. Reads all of them."""
        here = [f for f in files if (self._folder / f.name).is_file()]
        if here:
            self._watcher.begin("checking", sum(f.size_bytes for f in here))
        return [f for f in files if has_file(self._folder, f, self._watcher.advance) is None]

    def _bring(self, manifest: Manifest, transfer: Transfer) -> Pulled:
        """Fetch what is missing: small files first, so that what is no Qwen3-VL is seen early; config.json last."""
        missing = self._missing(manifest.files)
        num_bytes = sum(f.size_bytes for f in missing)
        config = next(f for f in manifest.files if f.name == CONFIG_FILE)
        if missing:
            is_config_right = config not in missing
            missing = [config, *(f for f in missing if f != config)]
            parts = {f.name: transfer.part_path(self._folder, f) for f in missing}
            self._tidy(keep=set(parts.values()))
            write_manifest(self._folder, manifest)
            self._retire_config(parts[config.name], is_right=is_config_right)
            self._require_room(missing, parts)
            self._watcher.begin(self._model, sum(f.size_bytes for f in missing))
            for file in missing:
                sha256 = transfer.bring(file, parts[file.name], self._watcher.advance)
                manifest = manifest.with_sum(file.name, sha256)
                if file == config:
                    check_config(parts[file.name])
                else:
                    parts[file.name].replace(self._folder / file.name)
                    write_manifest(self._folder, manifest)
                    self._require_listed_weights(file, manifest)
                self._watcher.finished(file)
            check_weights(self._folder)
            parts[config.name].replace(self._folder / CONFIG_FILE)
        manifest = replace(manifest, is_complete=True)
        write_manifest(self._folder, manifest)
        self._tidy(keep=set())
        names = {f.name for f in manifest.files}
        for file in self._earlier.files if self._earlier else ():
            if file.name not in names:  # of an older version, as another number of shards
                (self._folder / file.name).unlink(missing_ok=True)
        return self._pulled(manifest, num_fetched_bytes=num_bytes)

    def _retire_config(self, part: Path, *, is_right: bool) -> None:
        """Take config.json out of the folder until the rest is there."""
        config = self._folder / CONFIG_FILE
        if is_right:
            config.replace(part)
        else:
            config.unlink(missing_ok=True)

    def _require_listed_weights(self, file: RemoteFile, manifest: Manifest) -> None:
        """Once the index is there, refuse a repository that lacks some of its weights, before the others come."""
        if file.name != INDEX_FILE:
            return
        if lacking := sorted(set(weight_files(self._folder)) - {f.name for f in manifest.files}):
            raise DownloadRefusedError(
                f"The source lacks the weight file {lacking[0]}.", hint="Choose another --source."
            )

    def _require_room(self, missing: Sequence[RemoteFile], parts: dict[str, Path]) -> None:
        there = sum(path.stat().st_size for path in parts.values() if path.is_file())
        needed = sum(f.size_bytes for f in missing) - there + DISK_MARGIN_BYTES
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise DiskSpaceError(
                f"The disk has {free / 1e9:.1f} GB free; the model needs {needed / 1e9:.1f} GB more.",
                hint="Make room, or set KANDONG_HOME to a folder on another disk.",
            )

    def _tidy(self, keep: set[Path]) -> None:
        """Remove parts of other versions, which nothing will continue."""
        for part in self._folder.glob("*.part"):
            if part not in keep:
                part.unlink()

    def _pulled(self, manifest: Manifest, num_fetched_bytes: int) -> Pulled:
        return Pulled(
            model=self._model,
            folder=self._folder,
            source=manifest.source,
            revision=manifest.commit or manifest.revision or None,
            num_files=len(manifest.files),
            size_bytes=sum(f.size_bytes for f in manifest.files),
            num_fetched_bytes=num_fetched_bytes,
        )


def first_listing(sources: Sequence[Source], model: str, revision: str | None) -> tuple[Source, Listing]:
    """Ask all sources at once and take the first that has the model. Errors: ``DownloadError`` naming each reason."""
    answers: queue.Queue[tuple[Source, Listing | KandongError]] = queue.Queue()

    def ask(source: Source) -> None:
        try:
            with Web(max_tries=_RACE_TRIES, is_brisk=True) as web:
                answers.put((source, source.list_files(web, model, revision)))
        except KandongError as error:
            answers.put((source, error))

    for source in sources:
        # A daemon: whoever answers second must not keep the process waiting.
        threading.Thread(target=ask, args=(source,), daemon=True).start()
    reasons: list[KandongError] = []
    for _ in sources:
        try:
            source, answer = answers.get(timeout=_RACE_LIMIT_S)
        except queue.Empty:
            break
        if isinstance(answer, Listing):
            return source, answer
        reasons.append(answer)
    kind = (
        DownloadRefusedError
        if len(reasons) == len(sources) and not any(r.retryable for r in reasons)
        else DownloadError
    )
    raise kind(
        " ".join(["No hub gives the model.", *(reason.message for reason in reasons)]),
        hint="HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror; --source also takes an address or a folder.",
    )
