"""The page of settings, from the one table of them.

Owns: how the table looks. Must not know: what a setting does.
"""

from __future__ import annotations

from kandong.settings import CONFIG_FILE, setting_fields


def settings_reference(banner: str) -> str:
    """Describe every setting with its flag, its variable, its key and its default."""
    rows = []
    for field in setting_fields():
        default = "" if field.default in (None, ()) else f"`{str(field.default).lower()}`"
        kind = " or ".join(f"`{c}`" for c in field.choices) or {"tuple": "list"}.get(
            field.kind.__name__, field.kind.__name__
        )
        if field.low is not None:
            kind += f", {field.low:g} to {field.high:g}" if field.high is not None else f", from {field.low:g}"
        rows.append(f"| `{field.name}` | `{field.flag}` | `{field.variable}` | {kind} | {default} | {field.meaning} |")
    return "\n".join(
        [
            f"{banner}# Settings of `kandong serve`",
            "",
            "A flag goes before an environment variable, that before the file, that before the default. The file is",
            f"TOML with the names below as keys: `--config FILE`, or `{CONFIG_FILE}` in the home folder of Kandong,",
            "which is `$KANDONG_HOME`, or else `~/.local/share/kandong`. In a variable the values of a list are parted",
            "by commas; on the command line the flag is given once for each. A name that is not here, and a value of",
            "the wrong type or out of bounds, stop the start, with a message that says where it was set.",
            "",
            "| setting | flag | variable | values | default | meaning |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
