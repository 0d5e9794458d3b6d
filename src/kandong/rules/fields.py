"""Reading the tables of a pack field by field, so that a fault is named by pack, rule and field.

Owns: the checks and their messages. Must not know: what a field is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from kandong.errors import RulePackError
from kandong.rules.patterns import Pattern, PatternError, compile_words

Choice = TypeVar("Choice", bound=StrEnum)


class Table:
    """One table of TOML. ``place`` is how a message names it, such as ``my.toml, rule AD9-3, match 2``."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            raise RulePackError(f"{place} must be a table.", field=place)
        self._values: dict[str, Any] = values
        self.place = place
        self._asked: set[str] = set()

    def fault(self, name: str, problem: str) -> RulePackError:
        """Make the error for a field."""
        return RulePackError(
            f"{self.place}: {name} {problem}.", hint="docs/rules.md describes every field of a pack.", field=name
        )

    def has(self, name: str) -> bool:
        """Tell whether a field is given."""
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """Take a non-empty text; required if there is no default."""
        value = self._take(name, default)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.fault(name, "must be a text" if self.has(name) else "is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """Take a text that may be absent."""
        return self.text(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """Take true or false; absent is false."""
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise self.fault(name, "must be true or false")
        return value

    def number(self, name: str, default: int) -> int:
        """Take a whole number."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fault(name, "must be a whole number")
        return value

    def choice(self, name: str, kind: type[Choice], default: Choice | None = None) -> Choice:
        """Take one of the values of an enumeration."""
        value = self._take(name, default)
        try:
            return kind(str(value))
        except ValueError:
            allowed = ", ".join(kind)
            raise self.fault(name, f"must be one of {allowed}" if self.has(name) else "is missing") from None

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of non-empty texts; absent is empty."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.fault(name, "must be a list of non-empty texts")
        return tuple(value)

    def tables(self, name: str, what: str) -> Iterator[Table]:
        """Take a list of tables, each named in messages by its number."""
        value = self._take(name, [])
        if not isinstance(value, list):
            raise self.fault(name, "must be a list of tables")
        for number, item in enumerate(value, 1):
            yield Table(item, f"{self.place}, {what} {number}")

    def table(self, name: str) -> Table:
        """Take a table."""
        return Table(self._take(name, None), f"{self.place}, {name}")

    def pattern(self, name: str) -> Pattern | None:
        """Take a list of regexes as one pattern."""
        return self.compiled(name, (), self.texts(name))

    def compiled(self, name: str, terms: Sequence[str], regexes: Sequence[str] = ()) -> Pattern | None:
        """Compile, naming the field and the regex at fault."""
        try:
            for regex in regexes:
                compile_words((), (regex,))
        except PatternError as error:
            raise self.fault(name, f"holds {regex[:60]!r}, which {error}") from None
        try:
            return compile_words(terms, regexes)
        except PatternError as error:
            raise self.fault(name, f"taken together {error}") from None

    def end(self) -> None:
        """Refuse fields that nobody asked for. Errors: ``RulePackError``."""
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            raise self.fault(unknown[0], "is not a field of a pack")

    def _take(self, name: str, default: object) -> object:
        self._asked.add(name)
        return self._values.get(name, default)
