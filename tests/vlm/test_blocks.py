"""The books of the block pool: sharing, finding, eviction, and a check that notices every wrong entry."""

from __future__ import annotations

import random

import pytest

from kandong.vlm.blocks import BlockPool


def filled(pool: BlockPool, *keys: bytes) -> list[int]:
    """Allocate blocks and publish them under the keys."""
    blocks = pool.allocate(len(keys))
    assert blocks is not None
    for block, key in zip(blocks, keys, strict=True):
        pool.publish(block, key)
    return blocks


def test_a_released_block_is_found_until_it_is_needed_for_something_else() -> None:
    pool = BlockPool(3)
    blocks = filled(pool, b"a", b"ab", b"abc")
    assert pool.allocate(1) is None
    pool.release(blocks)
    assert (pool.num_available, pool.num_idle) == (3, 3)
    assert pool.count_matching([b"a", b"ab", b"other", b"abc"]) == 2
    taken = pool.allocate(1)
    # The end of a chain goes first.
    assert taken == [blocks[2]]
    assert pool.match([b"a", b"ab", b"abc"]) == blocks[:2]
    assert pool.num_evicted == 1
    pool.check([blocks[:2], taken])


def test_a_shared_block_is_free_only_after_its_last_user() -> None:
    pool = BlockPool(2)
    blocks = filled(pool, b"a")
    assert pool.match([b"a"]) == pool.match([b"a"]) == blocks
    for users_left in (2, 1):
        pool.release(blocks)
        pool.check([blocks] * users_left)
        assert pool.num_available == 1
    pool.release(blocks)
    assert pool.num_available == 2
    with pytest.raises(AssertionError, match="released twice"):
        pool.release(blocks)


def test_the_same_content_twice_is_found_in_the_first_place_only() -> None:
    pool = BlockPool(2)
    first, second = filled(pool, b"a"), filled(pool, b"a")
    pool.check([first, second])
    pool.release(second)
    assert pool.num_idle == 0
    assert pool.match([b"a"]) == first


def test_forgetting_what_is_idle_leaves_what_is_used() -> None:
    pool = BlockPool(4)
    used, idle = filled(pool, b"u"), filled(pool, b"i", b"j")
    pool.release(idle)
    pool.forget_idle()
    assert pool.count_matching([b"i"]) == 0
    assert pool.match([b"u"]) == used
    pool.check([used, used])


def test_longest_unused_goes_first() -> None:
    pool = BlockPool(3)
    for key in (b"a", b"b", b"c"):
        pool.release(filled(pool, key))
    pool.release(pool.match([b"a"]))
    pool.allocate(2)
    assert [pool.count_matching([key]) for key in (b"a", b"b", b"c")] == [1, 0, 0]


def test_what_is_kept_for_later_is_bounded_and_what_is_used_is_not() -> None:
    pool = BlockPool(6, max_idle=2)
    used = filled(pool, b"a", b"ab", b"abc", b"abcd")
    pool.check([used])
    pool.release(used)
    pool.check([])
    assert (pool.num_idle, pool.num_available, pool.num_evicted) == (2, 6, 2)
    assert pool.match([b"a", b"ab", b"abc"]) == used[:2]
    # Blocks that were written to before come before untouched ones.
    assert set(pool.allocate(2) or []) == set(used[2:])


def break_users(pool: BlockPool, block: int) -> None:
    pool._users[block] += 1


def break_free(pool: BlockPool, block: int) -> None:
    pool._free.append(block)


def break_index(pool: BlockPool, block: int) -> None:
    pool._found_by[b"nowhere"] = block


def break_hash(pool: BlockPool, block: int) -> None:
    pool._hash_of[block] = b"other"


@pytest.mark.parametrize("damage", [break_users, break_free, break_index, break_hash])
def test_the_check_notices_wrong_books(damage: object) -> None:
    pool = BlockPool(4)
    blocks = filled(pool, b"a", b"ab")
    pool.check([blocks])
    damage(pool, blocks[0])  # type: ignore[operator]
    with pytest.raises(AssertionError):
        pool.check([blocks])


def test_random_use_keeps_the_books_right() -> None:
    source = random.Random(1)
    pool = BlockPool(12, max_idle=9)
    tables: list[list[int]] = []
    for _ in range(3_000):
        if tables and source.random() < 0.45:
            pool.release(tables.pop(source.randrange(len(tables))))
        else:
            keys = [bytes([source.randrange(9)]) * (i + 1) for i in range(source.randrange(1, 5))]
            table = pool.match(keys)
            fresh = pool.allocate(len(keys) - len(table))
            if fresh is None:
                pool.release(table)
            else:
                for block, key in zip(fresh, keys[len(table) :], strict=True):
                    pool.publish(block, key)
                tables.append(table + fresh)
        pool.check(tables)
    assert pool.num_evicted > 100
