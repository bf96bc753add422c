"""Blocks that are made ahead, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from mixdown.dsp.processor import Block
from mixdown.errors import Interrupted
from mixdown.overlap import ahead


def block(value: float) -> Block:
    """One frame of one channel."""
    return np.full((1, 1), value, np.float32)


def test_blocks_come_in_their_order() -> None:
    """Every block once, in order, however many there are."""
    for count in (0, 1, 2, 7, 100):
        given = [block(index) for index in range(count)]

        assert list(ahead(given)) == given


def test_blocks_are_made_in_another_thread_while_the_caller_works() -> None:
    """The maker is ahead of the caller, but never further than it was told."""
    made: list[int] = []
    makers: set[int] = set()

    def maker() -> Iterator[Block]:
        for index in range(10):
            makers.add(threading.get_ident())
            made.append(index)
            yield block(index)

    most_ahead = max(len(made) - taken for taken, _ in enumerate(ahead(maker(), depth=2)))

    assert makers.isdisjoint({threading.get_ident()})
    assert 1 <= most_ahead <= 4


def test_what_stops_the_maker_stops_the_caller() -> None:
    """An error of the maker is raised to the caller, behind the blocks that were made before it."""

    def maker() -> Iterator[Block]:
        yield block(0)
        raise Interrupted

    blocks = ahead(maker())

    assert next(blocks)[0, 0] == 0
    with pytest.raises(Interrupted):
        next(blocks)


def test_a_caller_that_stops_early_stops_the_maker() -> None:
    """The maker is closed, so that it lets go of its file, and no thread is left behind."""
    closed = threading.Event()

    def maker() -> Iterator[Block]:
        try:
            while True:
                yield block(0)
        finally:
            closed.set()

    blocks = ahead(maker())
    next(blocks)
    blocks.close()

    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
