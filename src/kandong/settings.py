"""The settings of the service: one table for flags, ``KANDONG_*`` variables, TOML keys and their documentation.

Owns: names, types, defaults, bounds, and which source wins: flag, then variable, then file, then default.
Must not know: who uses a setting, how the command line is read.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kandong.errors import SettingError

VARIABLE_PREFIX = "KANDONG_"
CONFIG_FILE = "config.toml"
# Variables of other parts of Kandong, which are no settings of the service.
OTHER_VARIABLES = frozenset({"HOME", "DEBUG", "RULES", "API_KEY", "BASE_URL"})
_OTHER_PREFIXES = ("BENCH_", "TEST_")
_HOST = re.compile(r"[A-Za-z0-9*._:\[\]-]{1,255}")


def _setting(default: Any, meaning: str, *, low: float | None = None, high: float | None = None) -> Any:
    """Declare one setting. Bounds are inclusive; the first line of ``meaning`` is all that help and reference say."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """What a running service was told; units are in the names, ``None`` means absent."""

    host: str = _setting("127.0.0.1", "Address to listen on; any but loopback needs an API key first.")
    port: int = _setting(8765, "Port to listen on; 0 takes a free one.", low=0, high=65_535)
    server: Literal["auto", "gunicorn", "waitress"] = _setting(
        "auto", "Web server; auto is gunicorn, and waitress on Windows."
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Further host names that requests may be addressed to, as a proxy sends them."
    )
    data_folder: Path | None = _setting(  # noqa: RUF009 - as all the others
        None, "Where conversations, files and keys are kept; default: data, in the home folder of Kandong."
    )
    model: str | None = _setting(None, "Model folder or name; default: Qwen/Qwen3-VL-2B-Instruct.")
    precision: Literal["auto", "int8", "int4", "bf16", "f32"] = _setting("auto", "Precision of the weights.")
    compute: Literal["bf16", "f32"] | None = _setting(None, "Precision of computing; default: what the CPU does best.")
    cpu_threads: int | None = _setting(None, "CPU threads of the engine; default: all cores.", low=1, high=1024)
    context_tokens: int = _setting(32_768, "Longest prompt and answer together, in tokens.", low=64, high=262_144)
    kv_cache_mib: int | None = _setting(
        None, "Memory for keys and values; default: one context, or a quarter of what is free.", low=1
    )
    convert: bool = _setting(True, "Keep a converted copy of the weights, so that later starts take seconds.")
    keep_features: bool = _setting(True, "Keep what the model saw of a picture on disk, so it need not look again.")
    engine_transport: Literal["auto", "ipc", "tcp"] = _setting(
        "auto", "How web server and engine talk: a socket file, or loopback TCP with keys; auto: by the system."
    )
    web_threads: int = _setting(64, "Requests handled at once; each running answer holds one.", low=8, high=1024)
    reserved_threads: int = _setting(
        12, "Threads kept free of running answers, so that small requests never wait.", low=4, high=512
    )
    max_wait_s: float = _setting(
        120.0, "Predicted seconds of work that may be waiting; more is refused with 503.", low=1, high=86_400
    )
    max_answer_s: float = _setting(600.0, "Longest time for one answer, waiting included.", low=1, high=86_400)
    drain_s: float = _setting(25.0, "How long running answers may take to end after SIGTERM.", low=0, high=3_600)
    read_timeout_s: float = _setting(30.0, "How long a client may take to send its request.", low=1, high=3_600)
    max_upload_bytes: int = _setting(20 * 2**20, "Largest picture file.", low=1024, high=2**30)
    max_request_bytes: int = _setting(64 * 2**20, "Largest body of a request with pictures.", low=1024, high=2**31)
    media_folder: Path | None = _setting(  # noqa: RUF009 - as all the others
        None, "Folder whose pictures may be named by their paths in the short form; default: no paths."
    )
    remote_hosts: tuple[str, ...] = _setting(
        (), "Hosts that pictures may be fetched from, as example.com, *.example.com or example.com:8443; default: none."
    )
    max_pictures: int = _setting(16, "Pictures in one message.", low=1, high=256)
    max_text_chars: int = _setting(200_000, "Characters of text in one message.", low=1, high=2_000_000)
    max_tokens: int = _setting(8_192, "Longest answer that may be asked for, in tokens.", low=1, high=262_144)
    max_media_bytes: int = _setting(20 * 2**30, "Room for all stored pictures together.", low=2**20)
    requests_per_minute: int = _setting(
        600, "Requests that one key may send in a minute; keys may have their own.", low=1, high=1_000_000
    )
    max_in_flight: int = _setting(
        32, "Answers that one key may have under way, waiting ones included; keys may have their own.", low=1, high=512
    )
    min_free_bytes: int = _setting(256 * 2**20, "With less free on the disk, the service is not ready.", low=0)
    audit_days: int = _setting(90, "How long the list of requests is kept; it holds no contents.", low=1, high=3_650)


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of what a user keeps: ``$KANDONG_HOME``, or the place for data of this system."""
    if home := environ.get("KANDONG_HOME"):
        return Path(home)
    if os.name == "nt" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "kandong"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kandong"


def data_folder(settings: Settings) -> Path:
    """Give the folder of everything that the service keeps."""
    return settings.data_folder or home_folder() / "data"


@dataclass(frozen=True)
class SettingField:
    """One row of the table. ``kind`` is the type without ``None``; choices are those of a ``Literal``."""

    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    is_optional: bool
    meaning: str
    low: float | None
    high: float | None

    @property
    def is_list(self) -> bool:
        """Whether it takes several values."""
        return self.kind is tuple

    @property
    def flag(self) -> str:
        """Its flag; one of a list is given once for each value."""
        return "--" + (self.name.removesuffix("s") if self.is_list else self.name).replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable; values of a list are parted by commas."""
        return VARIABLE_PREFIX + self.name.upper()


def setting_fields() -> tuple[SettingField, ...]:
    """Give the table's rows in order."""
    hints = typing.get_type_hints(Settings)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(Settings))


def _field(field: dataclasses.Field[Any], hint: Any) -> SettingField:
    members = typing.get_args(hint)
    is_optional = type(None) in members
    plain = next((m for m in members if m is not type(None)), hint) if is_optional else hint
    choices: tuple[str, ...] = ()
    if typing.get_origin(plain) is Literal:
        plain, choices = str, typing.get_args(plain)
    kind = typing.get_origin(plain) or plain
    meta = field.metadata
    return SettingField(
        field.name, kind, choices, field.default, is_optional, meta["meaning"], meta["low"], meta["high"]
    )


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    config: Path | None = None,
) -> Settings:
    """Resolve the settings once. ``flags`` are by name, ``None`` for those not given.

    Without ``config`` the file in the home folder is read if there is one. Errors: ``SettingError`` for a name that is
    unknown, or a value of the wrong type or out of bounds, saying where it was set.
    """
    fields = {field.name: field for field in setting_fields()}
    values: dict[str, Any] = {}
    for source in (
        _from_file(config, environ, fields),
        _from_environ(environ, fields),
        _from_flags(flags or {}, fields),
    ):
        values |= source
    settings = Settings(**values)
    if settings.reserved_threads >= settings.web_threads:
        raise SettingError(
            f"reserved_threads ({settings.reserved_threads}) must be below web_threads ({settings.web_threads}).",
            field="reserved_threads",
        )
    return settings


def _from_file(config: Path | None, environ: Mapping[str, str], fields: Mapping[str, SettingField]) -> dict[str, Any]:
    path = config or home_folder(environ) / CONFIG_FILE
    if config is None and not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingError(f"The settings file {path} cannot be read.", field="config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SettingError(f"The settings file {path} is not valid TOML.", field="config") from None
    return {
        name: _checked(_known(name, fields, f"{name} in {path}"), value, f"{name} in {path}")
        for name, value in table.items()
    }


def _from_environ(environ: Mapping[str, str], fields: Mapping[str, SettingField]) -> dict[str, Any]:
    values = {}
    for variable, text in environ.items():
        name = variable.removeprefix(VARIABLE_PREFIX)
        if name == variable or name in OTHER_VARIABLES or name.startswith(_OTHER_PREFIXES) or not text:
            continue
        field = _known(name.lower(), fields, variable)
        values[field.name] = _checked(field, _from_text(field, text), variable)
    return values


def _from_flags(flags: Mapping[str, Any], fields: Mapping[str, SettingField]) -> dict[str, Any]:
    given = {name: value for name, value in flags.items() if value is not None and value != []}
    return {name: _checked(fields[name], value, fields[name].flag) for name, value in given.items()}


def _known(name: str, fields: Mapping[str, SettingField], origin: str) -> SettingField:
    if name in fields:
        return fields[name]
    near = difflib.get_close_matches(name, fields, 1)
    hint = f"Did you mean {near[0]}?" if near else "`kandong serve --help` lists all settings."
    raise SettingError(f"{origin} is not a setting of Kandong.", hint=hint, field=name)


def _from_text(field: SettingField, text: str) -> Any:
    """Read a variable's text; what it is not is left as text, for ``_checked`` to refuse."""
    if field.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.kind is bool:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    if field.kind in (int, float):
        try:
            return field.kind(text)
        except ValueError:
            return text
    return text


def _checked(field: SettingField, value: Any, origin: str) -> Any:
    """Give a value of the field's type, or refuse it by the name of where it was set."""
    if field.is_list:
        if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(v, str) for v in value):
            raise SettingError(f"{origin} must be a list of texts.", field=field.name)
        if wrong := next((v for v in value if not _HOST.fullmatch(v)), None):
            raise SettingError(f"{origin}: {wrong!r} is no host name.", field=field.name)
        return tuple(value)
    if field.kind is Path:
        if not isinstance(value, str | Path) or not str(value):
            raise SettingError(f"{origin} must be a path.", field=field.name)
        return Path(value).expanduser()
    if field.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not field.kind:  # not isinstance: True is no number
        names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise SettingError(f"{origin} must be {names[field.kind]}.", field=field.name)
    _check_bounds(field, value, origin)
    return value


def _check_bounds(field: SettingField, value: Any, origin: str) -> None:
    if field.choices and value not in field.choices:
        raise SettingError(f"{origin} must be one of {', '.join(field.choices)}.", field=field.name)
    if field.kind is str and (not value or any(c in value for c in "\0\r\n")):
        raise SettingError(f"{origin} must be a text of one line.", field=field.name)
    is_low = field.low is not None and value < field.low
    if is_low or (field.high is not None and not value <= field.high):
        bounds = f"at least {field.low:g}" if field.high is None else f"from {field.low:g} to {field.high:g}"
        raise SettingError(f"{origin} is {value}, it must be {bounds}.", field=field.name)
