"""Conversations: order, search in Chinese, edits that can be taken back, deletion with time to think again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kandong.errors import ConflictError, ConversationBusyError, InputError, NotFoundError
from kandong.store.conversations import UNDO_S, Conversations
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.generations import StoredGenerations
from kandong.store.messages import Messages, title_of
from tests.store.conftest import Say, noise


def texts(conversations: Conversations, messages: Messages, conversation_id: str) -> list[str]:
    return [message.text for message in messages.of(conversations.get("a", conversation_id))]


def test_list_has_the_last_written_first_and_pages_hold_together(conversations: Conversations, say: Say) -> None:
    ids = [conversations.create("a", f"对话{i}").id for i in range(5)]
    say(ids[1], "价格？", "199元")
    expected = [ids[1], ids[4], ids[3], ids[2], ids[0]]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page, cursor = conversations.page("a", limit=2, cursor=cursor)
        seen += [listed.id for listed in page]
    assert (seen, cursor) == (expected, None)
    assert conversations.page("a")[0][0].num_messages == 2
    assert conversations.page("b") == ([], None)


@pytest.mark.parametrize("cursor", ["x", "", "!!!!", "WzEsMl", "bnVsbA", "W10", "WzFlOTk5LCJ4Il0"])
def test_cursor_of_nobody_is_refused(conversations: Conversations, cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        conversations.page("a", cursor=cursor)
    assert caught.value.field == "cursor"


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("满", True),  # one character
        ("优惠", True),  # two
        ("满300", True),
        ("满300减50", True),
        ("奶茶 优惠", True),  # two words, in different messages
        ("MOCHA", True),  # case
        ("mo", True),
        ("火锅", False),
        ("奶茶 火锅", False),
        ('"', False),
        ("满300 OR", False),
        ("%", False),
        ("_", False),
        ("茶*", False),
        ("促销日", True),  # in the title
        ("促", True),
        ("👍", True),
        ("  ", True),
    ],
)
def test_search_finds_chinese_of_any_length(conversations: Conversations, say: Say, words: str, is_found: bool) -> None:
    mine = conversations.create("a", "促销日").id
    say(mine, "这杯奶茶多少钱？Mocha 👍", "现在满300减50，优惠到周日。")
    others = conversations.create("b", "促销日").id
    say(others, '火锅 满300减50 OR % _ 茶* "', "优惠", owner="b")
    found, _ = conversations.page("a", words=words)
    assert [listed.id for listed in found] == ([mine] if is_found else [])


def test_snippet_shows_where(conversations: Conversations, say: Say) -> None:
    mine = conversations.create("a").id
    say(mine, "字" * 500 + "价格在这里" + "句" * 500, "好的")
    snippet = conversations.page("a", words="价格")[0][0].snippet
    assert snippet is not None
    assert "价格在这里" in snippet
    assert len(snippet) < 100
    assert snippet[0] == snippet[-1] == "…"


def test_superseded_and_deleted_words_are_not_found(
    conversations: Conversations, messages: Messages, say: Say, database: Database
) -> None:
    mine = conversations.create("a").id
    turn = say(mine, "旧问题在此", "旧答案在此")
    say(mine, "新问题", "新答案", replace_from=turn.question.id)
    assert conversations.page("a", words="旧答案")[0] == []
    assert conversations.page("a", words="旧问题")[0][0].snippet is None  # only the title still has it
    messages.undo(conversations.get("a", mine))
    assert len(conversations.page("a", words="旧答案")[0]) == 1
    conversations.delete("a", mine)
    assert conversations.page("a", words="旧答案")[0] == []
    conversations.purge(time.time() + UNDO_S + 1)
    assert database.rows("SELECT count(*) FROM message_words") == [(0,)]
    database.change("INSERT INTO message_words (message_words) VALUES ('integrity-check')")


def test_edit_leaves_the_old_behind_and_undo_brings_it_back(
    conversations: Conversations, messages: Messages, say: Say
) -> None:
    mine = conversations.create("a").id
    say(mine, "q1", "a1")
    second = say(mine, "q2", "a2")
    say(mine, "q3", "a3")
    say(mine, "q2'", "a2'", replace_from=second.question.id)
    assert texts(conversations, messages, mine) == ["q1", "a1", "q2'", "a2'"]
    say(mine, "q4", "a4")
    messages.undo(conversations.get("a", mine))
    assert texts(conversations, messages, mine) == ["q1", "a1", "q2", "a2", "q3", "a3"]
    with pytest.raises(ConflictError):
        messages.undo(conversations.get("a", mine))


def test_new_answers_and_edits_nest(
    conversations: Conversations, messages: Messages, say: Say, generations: StoredGenerations
) -> None:
    mine = conversations.create("a").id
    first = say(mine, "q", "a")
    for i in range(3):
        turn = messages.regenerate("a", conversations.get("a", mine))
        generations.end(turn.generation_id, "complete", f"a{i}", {}, 1)
    assert texts(conversations, messages, mine) == ["q", "a2"]
    say(mine, "Q", "A", replace_from=first.question.id)
    for expected in (["q", "a2"], ["q", "a1"], ["q", "a0"], ["q", "a"]):
        messages.undo(conversations.get("a", mine))
        assert texts(conversations, messages, mine) == expected
    turn = messages.regenerate("a", conversations.get("a", mine))
    generations.end(turn.generation_id, "complete", "b", {}, 1)
    assert texts(conversations, messages, mine) == ["q", "b"]
    messages.undo(conversations.get("a", mine))
    assert texts(conversations, messages, mine) == ["q", "a"]


def test_one_answer_at_a_time(conversations: Conversations, messages: Messages) -> None:
    mine = conversations.create("a")
    turn = messages.ask("a", mine, "q")
    assert conversations.get("a", mine.id).running_generation_id == turn.generation_id
    for refused in (
        lambda: messages.ask("a", mine, "again"),
        lambda: messages.regenerate("a", mine),
        lambda: messages.undo(mine),
    ):
        with pytest.raises(ConversationBusyError):
            refused()
    assert len(messages.of(mine)) == 2
    assert conversations.page("a")[0][0].running_generation_id == turn.generation_id


def test_regenerate_needs_a_question(conversations: Conversations, messages: Messages) -> None:
    with pytest.raises(ConflictError):
        messages.regenerate("a", conversations.create("a"))


def test_failed_ask_changes_nothing(conversations: Conversations, messages: Messages, files: Files, say: Say) -> None:
    foreign = files.add("b", noise(), filename="x", num_bytes=1).id
    mine = conversations.create("a")
    turn = say(mine.id, "q", "a")
    for file_ids, replace_from, field in (
        ([foreign], None, "file_ids[0]"),
        (["file-none"], turn.question.id, "file_ids[0]"),
        ([], turn.answer.id, "replace_from"),
        ([], "msg_none", "replace_from"),
    ):
        with pytest.raises(NotFoundError) as caught:
            messages.ask("a", mine, "q2", file_ids, replace_from)
        assert caught.value.field == field
    assert texts(conversations, messages, mine.id) == ["q", "a"]


def test_others_do_not_exist(
    conversations: Conversations, messages: Messages, generations: StoredGenerations, say: Say
) -> None:
    mine, theirs = conversations.create("a").id, conversations.create("b").id
    turn = say(mine, "q", "a")
    refused: list[Callable[[], object]] = [
        lambda: conversations.get("b", mine),
        lambda: conversations.change("b", mine, title="x"),
        lambda: conversations.delete("b", mine),
        lambda: conversations.restore("b", mine),
        lambda: generations.get("b", turn.generation_id),
        lambda: messages.ask("b", conversations.get("b", theirs), "x", (), turn.question.id),
    ]
    for call in refused:
        with pytest.raises(NotFoundError):
            call()
    assert conversations.page("b", words="q")[0] == []
    assert conversations.get("a", mine).title == "q"


def test_deleted_comes_back_for_seven_days_and_is_then_gone_with_its_pictures(
    conversations: Conversations, files: Files, say: Say, database: Database, stored_paths: Callable[[], list[str]]
) -> None:
    shown, shared, other = (files.add("a", noise(i), filename="x", num_bytes=1).id for i in range(3))
    mine, kept = conversations.create("a").id, conversations.create("a").id
    say(mine, "q", "a", shown, shared)
    say(kept, "q", "a", shared)
    until = conversations.delete("a", mine)
    assert until == pytest.approx(time.time() + UNDO_S, abs=5)
    with pytest.raises(NotFoundError):
        conversations.get("a", mine)
    assert conversations.purge() == 0
    assert conversations.restore("a", mine).title == "q"
    conversations.delete("a", mine)
    assert conversations.purge(time.time() + UNDO_S + 1) == 1
    with pytest.raises(NotFoundError):
        conversations.restore("a", mine)
    assert [file.id for file in files.page("a", order="asc")[0]] == [shared, other]
    assert len(stored_paths()) == 4
    assert database.rows("SELECT count(*) FROM messages") == [(2,)]


def test_file_deleted_from_the_list_stays_where_it_is_shown(
    conversations: Conversations, files: Files, say: Say
) -> None:
    shown = files.add("a", noise(), filename="x", num_bytes=1).id
    mine = conversations.create("a").id
    turn = say(mine, "q", "a", shown)
    files.delete("a", shown)
    assert files.page("a")[0] == []
    with pytest.raises(NotFoundError):
        files.get("a", shown)
    assert files.picture("a", shown, is_for_looking=True).height_px == 40
    say(mine, "q'", "a'", shown, replace_from=turn.question.id)
    conversations.delete("a", mine)
    conversations.purge(time.time() + UNDO_S + 1)
    with pytest.raises(NotFoundError):
        files.get("a", shown, is_for_looking=True)
    assert files.media.num_bytes() == 0


def test_text_so_far_survives_and_a_restart_interrupts(
    conversations: Conversations, messages: Messages, generations: StoredGenerations
) -> None:
    mine = conversations.create("a")
    turn = messages.ask("a", mine, "q")
    generations.save_text(turn.generation_id, "写到一半")
    assert generations.interrupt_all() == 1
    assert generations.interrupt_all() == 0
    answer = messages.of(mine)[-1]
    assert (answer.status, answer.text) == ("interrupted", "写到一半")
    assert not generations.get("a", turn.generation_id).is_running
    generations.end(turn.generation_id, "complete", "later", {}, 9)
    generations.save_text(turn.generation_id, "later")
    assert messages.of(mine)[-1].text == "写到一半"
    assert len(conversations.page("a", words="写到一半")[0]) == 1


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("价格是多少？", "价格是多少？"),
        ("\n  第一行  在此 \n第二行", "第一行 在此"),
        ("字" * 31, "字" * 29 + "…"),
        ("", time.strftime("图片 %Y-%m-%d", time.gmtime())),
    ],
)
def test_title_is_the_first_words(text: str, title: str) -> None:
    assert title_of(text) == title


def test_own_title_stays(conversations: Conversations, say: Say) -> None:
    mine = conversations.create("a", "我的").id
    say(mine, "q", "a")
    assert conversations.get("a", mine).title == "我的"
    assert conversations.change("a", mine, settings={"max_tokens": 5}).settings == {"max_tokens": 5}
    assert conversations.change("a", mine, title="新").settings == {"max_tokens": 5}
