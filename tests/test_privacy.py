"""Nothing that Kandong imports or loads speaks to anybody."""

from __future__ import annotations

import subprocess
import sys

from tests.inspection import GOLDEN

SCRIPT = """
import sys
told = []
def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        told.append((event, str(args)))
sys.addaudithook(note)
from kandong import Kandong
kd = Kandong(sys.argv[1], precision="f32", convert=False, keep_features=False)
kd.ask([sys.argv[2]], "价格？", max_tokens=4)
import kandong.reading.reader, kandong.rules.judge, threading
for thread in threading.enumerate():
    if thread is not threading.current_thread() and not thread.daemon:
        thread.join(5)
print(told)
"""


def test_loading_and_asking_look_nobody_up() -> None:
    picture = GOLDEN / "pictures" / "square.png"
    command = [sys.executable, "-c", SCRIPT, str(GOLDEN / "tied"), str(picture)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.strip() == "[]"
