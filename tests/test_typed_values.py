"""Types turned from JSON and plain values: by many threads at once, and as msgspec does it."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import msgspec
import pytest

from kandong.typed_values import from_json, from_msgpack, from_plain

# Each type is new, and first used by eight threads at once. With msgspec.json.decode in place of from_json the process
# ended with a segmentation fault in each of ten runs.
_FIRST_USES = """
import sys, threading
import msgspec
from kandong.typed_values import from_json, from_msgpack, from_plain

sys.setswitchinterval(1e-6)
ways = (
    lambda kind: from_json(b'{"a0": {"x": 1}}', kind),
    lambda kind: from_plain({"a0": {"x": 1}}, kind),
    lambda kind: from_msgpack(msgspec.msgpack.encode({"a0": {"x": 1}}), kind),
)
for number in range(150):
    inner = msgspec.defstruct(f"Inner{number}", [("x", int), ("y", list[int], [])])
    fields = [(f"a{i}", inner | str | None, None) for i in range(12)]
    kind = msgspec.defstruct(f"Outer{number}", fields)
    begin = threading.Barrier(8)

    def use(index):
        begin.wait()
        assert ways[index % 3](kind).a0.x == 1

    threads = [threading.Thread(target=use, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("whole")
"""


def test_eight_threads_may_use_a_type_first() -> None:
    run = subprocess.run([sys.executable, "-c", _FIRST_USES], capture_output=True, text=True, check=False, timeout=120)
    assert (run.returncode, run.stdout, run.stderr) == (0, "whole\n", "")


class _Body(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1)]
    names: list[str] = []


@pytest.mark.parametrize("value", [{"count": 3}, {"count": 1, "names": ["a"]}])
def test_all_ways_give_what_msgspec_gives(value: dict[str, Any]) -> None:
    wanted = msgspec.convert(value, _Body)
    assert from_plain(value, _Body) == wanted
    assert from_json(msgspec.json.encode(value), _Body) == wanted
    assert from_msgpack(msgspec.msgpack.encode(value), _Body) == wanted


def test_what_does_not_fit_is_refused_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.count"):
        from_json(b'{"count": 0}', _Body)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.names\[0\]"):
        from_plain({"count": 1, "names": [1]}, _Body)
    with pytest.raises(msgspec.ValidationError, match="int"):
        from_plain("3", int)
    assert from_plain("3", int, strict=False) == 3
