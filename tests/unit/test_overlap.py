"""Blocks that are made ahead, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from mixdown.dsp.processor import Block
from mixdown.errors import Interrupted
from mixdown.overlap import AT_FIRST, ahead


def block(value: float) -> Block:
    """One frame of one channel."""
    return np.full((1, 1), value, np.float32)


def test_blocks_come_in_their_order() -> None:
    """Every block once, in order, however many there are."""
    for count in (0, 1, 2, 7, 100):
        given = [block(index) for index in range(count)]

        assert list(ahead(given)) == given


def test_blocks_are_made_in_another_thread_while_the_caller_works() -> None:
    """But for the first few, the maker is ahead of the caller, and never further than it was told."""
    made: list[int] = []
    makers: list[int] = []

    def maker() -> Iterator[Block]:
        for index in range(20):
            makers.append(threading.get_ident())
            made.append(index)
            yield block(index)

    most_ahead = max(len(made) - taken for taken, _ in enumerate(ahead(maker(), depth=2)))

    assert makers[:AT_FIRST] == [threading.get_ident()] * AT_FIRST
    assert set(makers[AT_FIRST:]).isdisjoint({threading.get_ident()})
    assert 1 <= most_ahead <= 4


def test_a_recording_of_a_few_blocks_begins_no_thread() -> None:
    """A batch of thousands of short recordings is not slowed by a thread for each pass over each."""
    makers: set[int] = set()

    def maker() -> Iterator[Block]:
        for index in range(AT_FIRST - 1):
            makers.add(threading.get_ident())
            yield block(index)

    assert [each[0, 0] for each in ahead(maker())] == list(range(AT_FIRST - 1))
    assert makers == {threading.get_ident()}


@pytest.mark.parametrize("before", [1, 3 * AT_FIRST])
def test_what_stops_the_maker_stops_the_caller(before: int) -> None:
    """An error of the maker is raised to the caller, behind the blocks that were made before it."""

    def maker() -> Iterator[Block]:
        yield from map(block, range(before))
        raise Interrupted

    blocks = ahead(maker())

    assert [next(blocks)[0, 0] for _ in range(before)] == list(range(before))
    with pytest.raises(Interrupted):
        next(blocks)


@pytest.mark.parametrize("after", [1, 3 * AT_FIRST])
def test_a_caller_that_stops_early_stops_the_maker(after: int) -> None:
    """The maker is closed, so that it lets go of its file, and no thread is left behind."""
    closed = threading.Event()

    def maker() -> Iterator[Block]:
        try:
            while True:
                yield block(0)
        finally:
            closed.set()

    blocks = ahead(maker())
    for _ in range(after):
        next(blocks)
    blocks.close()

    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
