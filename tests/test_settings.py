"""Settings: which source wins, and that nothing wrong is taken in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kandong.errors import SettingError
from kandong.settings import Settings, load_settings, setting_fields


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text('port = 1001\ndrain_s = 3\nallowed_hosts = ["a.example"]\nkeep_features = false\n', "utf-8")
    return path


def test_defaults_without_any_source(tmp_path: Path) -> None:
    assert load_settings({}, {"KANDONG_HOME": str(tmp_path)}) == Settings()


def test_flag_goes_before_variable_before_file_before_default(config: Path) -> None:
    environ = {"KANDONG_PORT": "1002", "KANDONG_DRAIN_S": "4", "OTHER": "x"}
    settings = load_settings({"port": 1003, "host": None, "allowed_hosts": []}, environ, config)
    assert (settings.port, settings.drain_s, settings.host) == (1003, 4.0, "127.0.0.1")
    assert settings.allowed_hosts == ("a.example",)
    assert settings.keep_features is False


def test_file_in_the_home_folder_is_read_by_itself(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('data_folder = "~/x"\n', "utf-8")
    assert load_settings({}, {"KANDONG_HOME": str(tmp_path)}).data_folder == Path.home() / "x"


def test_lists_and_booleans_in_variables() -> None:
    environ = {"KANDONG_ALLOWED_HOSTS": "a.example, b.example", "KANDONG_CONVERT": "no", "KANDONG_HOME": "/none"}
    settings = load_settings({}, environ)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.convert is False


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("KANDONG_PROT", "1", "KANDONG_PROT is not a setting"),
        ("KANDONG_PORT", "x", "KANDONG_PORT must be a whole number"),
        ("KANDONG_PORT", "70000", "KANDONG_PORT is 70000, it must be from 0 to 65535"),
        ("KANDONG_DRAIN_S", "nan", "KANDONG_DRAIN_S is nan"),
        ("KANDONG_CONVERT", "perhaps", "KANDONG_CONVERT must be true or false"),
        ("KANDONG_SERVER", "nginx", "KANDONG_SERVER must be one of auto, gunicorn, waitress"),
        ("KANDONG_ALLOWED_HOSTS", "a b", "'a b' is no host name"),
        ("KANDONG_HOST", "a\nb", "one line"),
        ("KANDONG_RESERVED_THREADS", "64", "must be below web_threads"),
    ],
)
def test_wrong_variable_is_refused_by_name(variable: str, text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        load_settings({}, {variable: text, "KANDONG_HOME": "/none"})


def test_near_name_is_offered() -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({}, {"KANDONG_PROT": "1", "KANDONG_HOME": "/none"})
    assert caught.value.hint == "Did you mean port?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = '1'", "port in .*my.toml must be a whole number"),
        ("port = true", "must be a whole number"),
        ("prot = 1", "prot in .*my.toml is not a setting"),
        ("allowed_hosts = 'a'", "must be a list"),
        ("data_folder = 1", "must be a path"),
        ("[serve]\nport = 1", "is not a setting"),
        ("port =", "not valid TOML"),
    ],
)
def test_wrong_file_is_refused_by_place(config: Path, text: str, words: str) -> None:
    config.write_text(text, "utf-8")
    with pytest.raises(SettingError, match=words):
        load_settings({}, {}, config)


def test_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        load_settings({}, {}, tmp_path / "none.toml")


@pytest.mark.parametrize("field", setting_fields(), ids=lambda f: f.name)
def test_every_default_is_a_value_that_would_be_taken(field: Any) -> None:
    assert field.meaning.endswith(".")
    if field.default in (None, ()):
        assert field.is_optional or field.is_list
    else:
        assert (
            getattr(load_settings({field.name: field.default}, {"KANDONG_HOME": "/none"}), field.name) == field.default
        )
