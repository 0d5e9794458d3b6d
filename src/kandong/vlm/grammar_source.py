"""What may be asked of a grammar: JSON Schemas, patterns and choices, checked before anything is compiled.

Owns: the limits on size and nesting, the keywords that cannot be enforced, and the wording of every refusal. Must not
know: tokens, masks, who asks. Nothing here runs a pattern, so hostile input costs a walk over it and no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from kandong.errors import GrammarError

MAX_SCHEMA_BYTES = 65_536
MAX_SCHEMA_DEPTH = 48
MAX_COUNT = 100_000
MAX_MULTIPLE = 10_000
MAX_PATTERN_CHARACTERS = 2_048
MAX_PATTERN_REPEATS = 10_000
# Patterns that may have to hold together: the compiler's time doubles with each (20 take 3 s, 24 take 80 s).
MAX_MEETING_PATTERNS = 10
MAX_CHOICES = 1_000
MAX_CHOICE_CHARACTERS = 1_024

# Keywords that JSON Schema gives a meaning and that no mask enforces. Ignoring one would promise what is not kept.
UNSUPPORTED_KEYWORDS = frozenset(
    {
        *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames"),
        *("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"),
        *("$dynamicRef", "$recursiveRef", "$id", "x-guidance"),
    }
)
_SCHEMAS_BY_NAME = ("properties", "patternProperties", "$defs", "definitions")
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE_SCHEMAS = ("items", "additionalProperties", "additionalItems")
_MEETING = ("$ref", "anyOf", "oneOf")
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated"}
)
_TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_DIALECTS = ("https://json-schema.org/draft", "http://json-schema.org/draft")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")

# What the compiler says, by a word of its message, and what we say. Its own text is never shown.
_REASONS = (
    ("unable to determine", "patterns that must hold together are too entangled", "Use one pattern."),
    ("disjoint", "two patterns of patternProperties may match the same name", "Make them exclude each other."),
    ("unknown format", "a format is not known", "Remove it or use a pattern."),
    ("circular", "a $ref leads back to itself with something beside it", "Remove what stands beside the $ref."),
    ("integer range", "bounds of a number are too far apart or too fine", "Use bounds of at most 15 digits."),
    ("float range", "bounds of a number are too far apart or too fine", "Use bounds of at most 15 digits."),
    ("oneof", "its oneOf has branches that may overlap", "Use anyOf."),
    ("look-around", "a pattern looks ahead or behind", "Write the pattern without (?=…), (?!…), (?<=…), (?<!…)."),
    ("backreferences", "a pattern refers back to a group", "Write the pattern without \\1, \\2, …."),
    ("regex", "a pattern is not a valid regular expression", None),
    ("unsatisfiable", "no text can satisfy it: parts of it contradict each other", None),
    ("no possible", "no text can satisfy it", None),
    ("pointer", "a $ref points at nothing", "Put what it names under $defs."),
    ("too large", "it is too large or too entangled", "Make it smaller and flatter."),
    ("too many", "it is too large or too entangled", "Make it smaller and flatter."),
    ("limit", "it is too large or too entangled", "Make it smaller and flatter."),
    ("fuel", "it is too large or too entangled", "Make it smaller and flatter."),
)


def refuse(problem: str, hint: str | None = None) -> NoReturn:
    """Raise ``GrammarError`` naming ``response_format``."""
    raise GrammarError(problem, hint=hint, field="response_format")


def schema_text(schema: object) -> str:
    """Check a JSON Schema and give it as JSON text, the order of properties kept.

    Errors: ``GrammarError`` saying where in the schema (as a JSON Pointer) what is not supported.
    """
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        refuse("The schema is not a JSON object.", "Give a JSON Schema.")
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        num_bytes = len(text.encode("utf-8"))
    except RecursionError:
        refuse(f"The schema is nested deeper than {MAX_SCHEMA_DEPTH}.", "Make it flatter.")
    except (TypeError, ValueError):
        refuse("The schema holds a value that JSON has not.", "Use only what json.dumps(…, allow_nan=False) takes.")
    if num_bytes > MAX_SCHEMA_BYTES:
        refuse(f"The schema has {num_bytes:,} bytes, allowed are {MAX_SCHEMA_BYTES:,}.", "Make it smaller.")
    _check_depth(schema)
    # A copy that may be changed, of nothing but JSON's own types.
    checked: dict[str, Any] = json.loads(text)
    checked.pop("$id", None)  # a name for others; every $ref is within the schema
    if not str(checked.get("$schema", "")).startswith(_DIALECTS):
        checked.pop("$schema", None)
    _check_schema(checked, "#")
    _check_meeting(checked)
    return json.dumps(checked, ensure_ascii=False)


def _check_depth(schema: object) -> None:
    layer: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        layer = [
            inner
            for value in layer
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not layer:
            return
    refuse(f"The schema is nested deeper than {MAX_SCHEMA_DEPTH}.", "Make it flatter, or name parts with $defs.")


def _check_schema(schema: object, place: str) -> None:
    """Walk schemas only: names of properties and the data of ``enum``, ``const``, ``default`` are no keywords."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        refuse(f"{place} must be a schema.")
    for key in [key for key in UNSUPPORTED_KEYWORDS & schema.keys() if schema[key] is False]:
        del schema[key]  # "uniqueItems": false asks for nothing
    if place != "#":
        schema.pop("$schema", None)
    for key, value in schema.items():
        _check_keyword(key, value, f"{place}/{_shown(key)}")


def _check_keyword(key: str, value: object, place: str) -> None:
    if key in UNSUPPORTED_KEYWORDS:
        refuse(f"{place} is not supported.", f"Remove {key} and check it on the answer.")
    elif key in _COUNTS:
        _check_count(value, place)
    elif key == "pattern":
        check_pattern(value, place)
    elif key in _VALUE_CHECKS:
        _check_value(key, value, place)
    elif key in _SCHEMAS_BY_NAME:
        _check_named(key, value, place)
    elif key in _LISTS_OF_SCHEMAS or (key == "items" and isinstance(value, list)):
        _check_list(value, place)
    elif key in _SINGLE_SCHEMAS:
        _check_schema(value, place)


def _check_meeting(schema: object) -> None:
    """Refuse many patterns where some may have to hold together: in allOf, or beside a $ref, anyOf or oneOf."""
    patterns: set[str] = set()
    can_meet = False
    stack = [schema]
    while stack:
        value = stack.pop()
        stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        if isinstance(value, dict):
            patterns |= {f"{key} {value[key]}" for key in ("pattern", "format") if isinstance(value.get(key), str)}
            joined = [key for key in _MEETING if key in value]
            can_meet |= "allOf" in value or bool(joined and value.keys() - _ANNOTATIONS - {joined[0]})
    if can_meet and len(patterns) > MAX_MEETING_PATTERNS:
        refuse(
            f"The schema has {len(patterns)} patterns and joins schemas; together allowed are {MAX_MEETING_PATTERNS}.",
            "Remove allOf and what stands beside $ref, anyOf and oneOf, or use fewer patterns.",
        )


def _check_named(key: str, value: object, place: str) -> None:
    if not isinstance(value, dict):
        refuse(f"{place} must be an object.")
    for name, inner in value.items():
        if key == "patternProperties":
            check_pattern(name, place)
        _check_schema(inner, f"{place}/{_shown(name)}")


def _check_list(value: object, place: str) -> None:
    if not isinstance(value, list) or not value:
        refuse(f"{place} must be a list of schemas.")
    for i, inner in enumerate(value):
        _check_schema(inner, f"{place}/{i}")


def _check_count(value: object, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        refuse(f"{place} must be a whole number from 0 to {MAX_COUNT:,}.")


def _check_value(key: str, value: object, place: str) -> None:
    is_right, problem, hint = _VALUE_CHECKS[key]
    if not is_right(value):
        refuse(f"{place} {problem}.", hint)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_types(value: object) -> bool:
    names = value if isinstance(value, list) and value else [value]
    return all(isinstance(name, str) and name in _TYPES for name in names)


_VALUE_CHECKS: dict[str, tuple[Callable[[Any], bool], str, str | None]] = {
    "type": (_are_types, "is none of JSON's types, nor a list of them", f"Use {', '.join(_TYPES)}."),
    "enum": (lambda v: isinstance(v, list) and bool(v), "must be a list of values", None),
    "required": (
        lambda v: isinstance(v, list) and all(isinstance(name, str) for name in v),
        "must be a list of property names",
        None,
    ),
    "format": (lambda v: isinstance(v, str), "must be the name of a format", None),
    "multipleOf": (
        lambda v: _is_number(v) and 0 < v <= MAX_MULTIPLE,
        f"must be a number over 0 and up to {MAX_MULTIPLE:,}",
        None,
    ),
    "$ref": (
        lambda v: isinstance(v, str) and v.startswith("#"),
        "points out of the schema; nothing is fetched",
        "Put what it names under $defs.",
    ),
    **dict.fromkeys(_BOUNDS, (_is_number, "must be a number", None)),
}


def _shown(name: object) -> str:
    """A name from the schema, short and on one line, escaped as JSON Pointer does."""
    text = str(name).replace("~", "~0").replace("/", "~1")
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= 60 else text[:60] + "…"


_REPEAT = re.compile(r"\{(\d*)(?:,(\d*))?\}")


def check_pattern(pattern: object, place: str) -> str:
    """Refuse what is no text, too long, or multiplies to too many repeats; gives the pattern back.

    Counts nested ``{n,m}`` only: ``(a{1000}){1000}`` is a million states in sixteen characters.
    """
    if not isinstance(pattern, str):
        refuse(f"{place} must be a regular expression.")
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        refuse(f"{place} has {len(pattern):,} characters, allowed are {MAX_PATTERN_CHARACTERS:,}.")
    if _num_repeats(pattern) > MAX_PATTERN_REPEATS:
        refuse(f"{place} repeats more than {MAX_PATTERN_REPEATS:,} times.", "Use smaller counts in {…}.")
    return pattern


def _num_repeats(pattern: str) -> int:
    """The most positions that one branch of nested repeats unrolls to. Linear; a wrong pattern gives any number."""
    # Each open group: positions so far, and positions of its last item, which a following count multiplies.
    groups: list[tuple[int, int]] = []
    total, last, i = 0, 0, 0
    while i < len(pattern):
        char = pattern[i]
        if char == "{" and (match := _REPEAT.match(pattern, i)):
            # Thirty digits are enough to be over any limit, and int() of a longer run would be slow.
            times = max([int(digits[:30]) for digits in match.groups() if digits], default=1)
            total += last * (times - 1) if times else 0
            last *= max(times, 1)
            i = match.end()
            continue
        if char == "(":
            groups.append((total, last))
            total, last = 0, 0
        elif char == ")" and groups:
            before, _ = groups.pop()
            total, last = before + total, total
        elif char == "[":
            i = _end_of_class(pattern, i)
            total, last = total + 1, 1
        elif char not in "*+?|":
            i += char == "\\"
            total, last = total + 1, 1
        i += 1
    return total


def _end_of_class(pattern: str, start: int) -> int:
    i = start + 1
    while i < len(pattern) and (pattern[i] != "]" or i == start + 1):
        i += 2 if pattern[i] == "\\" else 1
    return i


def check_choices(choices: Sequence[str]) -> list[str]:
    """Refuse an empty list, too many, empty or overlong choices; gives them once each, in order."""
    if isinstance(choices, str) or not choices:
        refuse("There is no choice to choose from.", "Give a list of texts.")
    if len(choices) > MAX_CHOICES:
        refuse(f"There are {len(choices):,} choices, allowed are {MAX_CHOICES:,}.")
    for choice in choices:
        if not isinstance(choice, str) or not 1 <= len(choice) <= MAX_CHOICE_CHARACTERS:
            refuse(f"A choice must be a text of 1 to {MAX_CHOICE_CHARACTERS:,} characters.")
        if any("\ud800" <= char <= "\udfff" for char in choice):
            refuse("A choice holds half a character (a lone surrogate).")
    return list(dict.fromkeys(choices))


def explain(message: str, subject: str, text: str) -> GrammarError:
    """Word the compiler's refusal of ``subject`` in our own terms; names only what stands in ``text`` itself."""
    lowered = message.lower()
    named = [name for name in re.findall(r'"([^"\\]{1,60})"', message) if json.dumps(name, ensure_ascii=False) in text]
    if "unimplemented keys" in lowered and named:
        problem, hint = f"{', '.join(named)} is not supported here", "Remove it and check it on the answer."
    elif match := re.search(r"unknown format: ([\w-]{1,60})", lowered):
        problem, hint = f"the format {match.group(1)!r} is not known", "Remove it or use a pattern."
    else:
        found = next((entry for entry in _REASONS if entry[0] in lowered), None)
        problem, hint = (found[1], found[2] or "") if found else ("a part of it is not supported", "Simplify it.")
    return GrammarError(f"The {subject} cannot be used: {problem}.", hint=hint or None, field="response_format")


def property_openings(schema: object) -> list[str]:
    """Give the text between two values of an object, for each property: ``","price":`` and, for a text, the next quote.

    Sources for drafting: the grammar forces the name, but what follows it may still merge with the value. Of nullable
    fields the text is taken. ``schema`` must have been checked.
    """
    openings: list[str] = []
    stack = [schema]
    while stack:
        value = stack.pop()
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        stack += reversed(inner)
        properties = value.get("properties") if isinstance(value, dict) else None
        for name, described in properties.items() if isinstance(properties, dict) else ():
            written = json.dumps(name, ensure_ascii=False)
            openings += [f"{before}{written}:{_opening(described)}" for before in ('",', ",")]
    return list(dict.fromkeys(openings))


def _opening(schema: object) -> str:
    if not isinstance(schema, dict):
        return ""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_text = "string" in kinds or any(isinstance(v, str) for v in schema.get("enum", []))
    return '"' if is_text else "[" if "array" in kinds else "{" if "object" in kinds else ""
