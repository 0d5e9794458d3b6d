"""Random JSON Schemas of the kinds that people write for extraction, from a seed.

Owns: which keywords appear together. Must not know: tokens, whether a schema compiles.
"""

from __future__ import annotations

import random
from typing import Any

Schema = dict[str, Any]

NAMES = ("brand", "价格", "name", "原价", "gift", "start_date", "是否广告", "unit price", "a", "notes", "渠道", "cta")
WORDS = (
    "是",
    "否",
    "无法判断",
    "限时特价",
    "满三百减五十",
    "yes",
    "no",
    "买一送一 “仅此三天”",
    'a "quoted" word',
    "路径\\名",
)
PATTERNS = (
    r"^\d{4}-\d{2}-\d{2}$",
    r"^[A-Z]{2,5}$",
    r"^1\d{10}$",
    r"^(￥|¥)\d+(\.\d{1,2})?元?$",
    r"^[一-龥]{1,6}$",
    r"^(上午|下午)\d{1,2}点$",
)


class SchemaMaker:
    """Draws schemas; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def root(self) -> Schema:
        """Give a schema as sent by a client: mostly an object, sometimes with definitions that hold themselves."""
        if self._random.random() < 0.1:
            return self.any(2)
        if self._random.random() < 0.1:
            return self._tree()
        return self.object(3)

    def any(self, depth: int) -> Schema:
        """Give any schema with at most ``depth`` levels below it."""
        kinds = [self.string, self.string, self.number, self.number, self.choice, self.boolean]
        if depth > 0:
            kinds += [lambda: self.array(depth - 1), lambda: self.object(depth - 1), lambda: self.union(depth - 1)]
        schema = self._random.choice(kinds)()
        if self._random.random() < 0.2:
            schema = schema | {"title": "字段", "description": "what stands in the picture"}
        return schema

    def string(self) -> Schema:
        """Give a text: free, bounded, of a pattern or of a format, sometimes nullable."""
        chance = self._random.random()
        if chance < 0.25:
            return {"type": "string", "pattern": self._random.choice(PATTERNS)}
        if chance < 0.35:
            return {"type": "string", "format": self._random.choice(["date", "date-time", "email", "uuid"])}
        schema: Schema = {"type": ["string", "null"] if self._random.random() < 0.3 else "string"}
        if self._random.random() < 0.4:
            schema["maxLength"] = self._random.randint(1, 20)
        if self._random.random() < 0.2:
            schema["minLength"] = self._random.randint(0, schema.get("maxLength", 8))
        return schema

    def number(self) -> Schema:
        """Give a number with or without bounds."""
        is_whole = self._random.random() < 0.5
        schema: Schema = {"type": "integer" if is_whole else "number"}
        low = self._random.randint(-50, 50)
        if self._random.random() < 0.5:
            schema[self._random.choice(["minimum", "exclusiveMinimum"])] = low
        if self._random.random() < 0.5:
            high = low + self._random.randint(3, 5_000)
            schema[self._random.choice(["maximum", "exclusiveMaximum"])] = high if is_whole else high + 0.5
        if is_whole and self._random.random() < 0.1:
            schema["multipleOf"] = self._random.choice([2, 5, 10])
        return schema

    def choice(self) -> Schema:
        """Give an enumeration or a constant."""
        if self._random.random() < 0.2:
            return {"const": self._random.choice([*WORDS, 3, None, True])}
        values: list[Any] = self._random.sample(WORDS, self._random.randint(1, 5))
        if self._random.random() < 0.2:
            values.append(None)
        return {"enum": values}

    def boolean(self) -> Schema:
        """Give true or false, or nothing but null."""
        return {"type": "boolean"} if self._random.random() < 0.85 else {"type": "null"}

    def array(self, depth: int) -> Schema:
        """Give a list, bounded or not, or a tuple."""
        if self._random.random() < 0.15:
            places = [self.any(depth) for _ in range(self._random.randint(1, 3))]
            return {"type": "array", "prefixItems": places, "items": False, "minItems": len(places)}
        schema: Schema = {"type": "array", "items": self.any(depth)}
        if self._random.random() < 0.5:
            schema["minItems"] = self._random.randint(0, 3)
        if self._random.random() < 0.7:
            schema["maxItems"] = schema.get("minItems", 0) + self._random.randint(1, 4)
        return schema

    def object(self, depth: int) -> Schema:
        """Give an object, closed or open, with required and optional properties."""
        names = self._random.sample(NAMES, self._random.randint(1, 6))
        schema: Schema = {"type": "object", "properties": {name: self.any(depth) for name in names}}
        if self._random.random() < 0.8:
            schema["required"] = [name for name in names if self._random.random() < 0.7]
        if self._random.random() < 0.7:
            schema["additionalProperties"] = False
        return schema

    def union(self, depth: int) -> Schema:
        """Give alternatives: null or something, or branches of different types."""
        if self._random.random() < 0.6:
            return {"anyOf": [self.any(depth), {"type": "null"}]}
        return {self._random.choice(["anyOf", "oneOf"]): [{"type": "integer"}, self.string() | {"type": "string"}]}

    def _tree(self) -> Schema:
        children = {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}
        node = {"type": "object", "properties": {"value": self.any(0), "children": children}}
        closed = {"required": ["value"], "additionalProperties": False}
        return {"$defs": {"node": node | closed}, "$ref": "#/$defs/node"}
