"""Processes that commit rows, say so, and are killed in the middle.

Owns: what they write (conversations with questions, answers that grow, pictures), and when they die.
Must not know: what is made of it.
Run: ``python -m tests.store.committer FOLDER NUM_LIVES``; each line on stdout is something that was acknowledged. The
lives are forked, as starting Python anew for each would take most of the time. Needs POSIX.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from kandong.store.conversations import Conversations
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.generations import StoredGenerations
from kandong.store.media import MediaFolder
from kandong.store.messages import Messages
from tests.store.conftest import noise


def live(folder: Path, life: int, told: int) -> None:
    """Write until the end of the world; a byte goes down the pipe ``told`` for each step."""
    database = Database(folder / "kandong.db")
    files = Files(database, MediaFolder(folder / "media", database))
    conversations, messages = Conversations(database, files), Messages(database, files)
    generations = StoredGenerations(database)
    generations.interrupt_all()

    def say(line: str) -> None:
        os.write(1, line.encode() + b"\n")
        os.write(told, b"!")

    os.write(told, b"!")
    number = 0
    while True:
        number += 1
        picture = noise(life * 1000 + number, 8, 8)
        file = files.add("a", picture, filename="x.png", num_bytes=1)
        say(f"file {file.id} {picture.digest}")
        conversation = conversations.create("a", f"对话{number}")
        turn = messages.ask("a", conversation, f"问题{life}-{number}", [file.id])
        say(f"asked {conversation.id} {turn.question.id} 问题{life}-{number}")
        generations.save_text(turn.generation_id, "一半")
        generations.end(turn.generation_id, "complete", f"回答{life}-{number}", {}, 1)
        say(f"answered {conversation.id} {turn.answer.id} 回答{life}-{number}")


def main() -> None:
    """Fork lives and end each at a moment of chance."""
    folder, chance = Path(sys.argv[1]), random.Random(5)
    for life in range(int(sys.argv[2])):
        seen, told = os.pipe()
        number = os.fork()
        if number == 0:
            try:
                live(folder, life, told)
            finally:
                os._exit(1)
        os.close(told)
        for _ in range(chance.randrange(12)):  # steps that it may take: none at all, while it opens, or many
            os.read(seen, 1)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        os.close(seen)


if __name__ == "__main__":
    main()
