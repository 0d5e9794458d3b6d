"""Finding model folders by name or path.

Owns: the names that Kandong knows, and the places where downloads of them lie: Kandong's own folder and the caches of
the Hugging Face and ModelScope tools. Reads folders only; never touches the network.
Must not know: what is in a model folder beyond config.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kandong.errors import ModelNotFoundError
from kandong.models.demo import DEMO_MODEL, demo_folder, is_demo_model

DEFAULT_MODEL = "Qwen/Qwen3-VL-2B-Instruct"
MODEL_VARIABLE = "KANDONG_MODEL"

_SHORT_NAMES = {
    "2b": DEFAULT_MODEL,
    "4b": "Qwen/Qwen3-VL-4B-Instruct",
    "8b": "Qwen/Qwen3-VL-8B-Instruct",
}


@dataclass(frozen=True)
class FoundModel:
    """A model folder and the name to show for it; ``is_demo`` if it is the miniature, whose answers are marked."""

    name: str
    folder: Path

    @property
    def is_demo(self) -> bool:
        """Whether this is the miniature that ships with Kandong, or a copy or conversion of it."""
        return is_demo_model(self.folder)


def find_model(name_or_path: str | os.PathLike[str] | None = None) -> FoundModel:
    """Find the folder of a model.

    ``None`` means ``$KANDONG_MODEL``, or else Qwen3-VL-2B-Instruct. A folder is taken as it is; a name such as
    ``Qwen/Qwen3-VL-4B-Instruct``, ``qwen3-vl-4b`` or ``4b`` is looked up in the known places, and ``mini`` is the
    miniature that ships with Kandong. It is given to those who ask for it by name, and never instead of another model.
    Errors: ``ModelNotFoundError`` saying where was looked and how to get the model.
    """
    wanted = os.fspath(name_or_path) if name_or_path is not None else os.environ.get(MODEL_VARIABLE, DEFAULT_MODEL)
    path = Path(wanted).expanduser()
    if path.is_dir():
        return FoundModel(path.resolve().name, path)
    if path.is_file():
        raise ModelNotFoundError(
            f"{wanted} is a file; a model is a folder with config.json and safetensors.",
            hint="Name the folder of the Hugging Face checkpoint.",
            field="model",
        )
    if wanted.lower() == DEMO_MODEL and (demo_folder() / "model.safetensors").is_file():
        return FoundModel(DEMO_MODEL, demo_folder())
    name = full_name(wanted)
    if name is None:
        raise ModelNotFoundError(
            f"There is no model folder at {wanted}.",
            hint=f"Name an existing folder, or a model: {', '.join(_SHORT_NAMES.values())}, {DEMO_MODEL}.",
            field="model",
        )
    for folder in candidate_folders(name):
        if (folder / "config.json").is_file():
            return FoundModel(name, folder)
    if (converted := _converted_copy(name)) is not None:
        return FoundModel(name, converted)
    raise ModelNotFoundError(f"The model {name} is not on this machine.", hint=_how_to_get(name), field="model")


def full_name(wanted: str) -> str | None:
    """Expand a short name to ``owner/name``; ``None`` if it can only have been a path."""
    short = wanted.lower().removeprefix("qwen/").removeprefix("qwen3-vl-").removesuffix("-instruct")
    if short in _SHORT_NAMES:
        return _SHORT_NAMES[short]
    owner, separator, name = wanted.partition("/")
    looks_like_name = separator and owner and name and not {"/", "\\"} & set(name) and owner[0] not in ".~"
    return wanted if looks_like_name and "\\" not in owner else None


def models_folder() -> Path:
    """Give Kandong's own model folder: ``$KANDONG_HOME/models``, or below the user's cache folder."""
    if home := os.environ.get("KANDONG_HOME"):
        return Path(home) / "models"
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "kandong" / "models"
    return _cache_folder() / "kandong" / "models"


def converted_folder() -> Path:
    """Give the folder of converted models, beside the one of downloads."""
    return models_folder().parent / "converted"


def features_folder() -> Path:
    """Give the folder of pictures' features, beside the one of downloads."""
    return models_folder().parent / "features"


def _converted_copy(name: str) -> Path | None:
    """Find a conversion whose original is gone: it is complete in itself. int8 goes before other types."""
    folders = sorted(
        converted_folder().glob("*/kandong.json"), key=lambda path: ("-int8-" not in path.parent.name, path)
    )
    for path in folders:
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(manifest, dict) and manifest.get("name") == name:
            return path.parent
    return None


def candidate_folders(name: str) -> Iterator[Path]:
    """List where a model ``owner/name`` may lie, best place first."""
    owner, _, model = name.partition("/")
    yield models_folder() / owner / model
    hub = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", _cache_folder() / "huggingface")) / "hub"
    repository = Path(hub) / f"models--{owner}--{model}"
    yield from _snapshots(repository)
    modelscope = Path(os.environ.get("MODELSCOPE_CACHE", _cache_folder() / "modelscope"))
    yield from _snapshots(modelscope / "models" / f"{owner}--{model}")
    # Older versions of ModelScope's tool have other layouts, and write a dot as three underscores.
    for base in (modelscope / "hub" / "models", modelscope / "models", modelscope / "hub"):
        for spelling in {model, model.replace(".", "___")}:
            yield base / owner / spelling


def _snapshots(repository: Path) -> Iterator[Path]:
    """Give the snapshot that ``main`` points to, then the others, newest first."""
    main = repository / "refs" / "main"
    if main.is_file():
        yield repository / "snapshots" / main.read_text(encoding="utf-8").strip()
    snapshots = repository / "snapshots"
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _how_to_get(name: str) -> str:
    return f"Get it with `kandong pull {name}`, or name a folder that has it with --model."
