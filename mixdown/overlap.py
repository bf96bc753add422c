"""Work on one recording on two cores: what comes before runs ahead in a thread.

The heavy libraries (FFmpeg, LAME, numba's kernels, ONNX Runtime) let go of the GIL, so threads suffice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from mixdown.dsp.processor import Block

#: How many blocks are made ahead: enough that neither side waits, few enough to cost no memory.
DEPTH = 3
#: How many the caller makes itself before: of a recording of seconds, as batches of thousands have them, that
#: is all, and a thread for each pass over it takes longer than it saves.
AT_FIRST = 6


def ahead(blocks: Iterable[Block], *, depth: int = DEPTH) -> Generator[Block]:
    """The same blocks in the same order, made in a thread while the caller works on those before.

    What the blocks' maker raises is raised here. A caller that stops early stops the maker. The first
    `AT_FIRST` blocks are made by the caller.
    """
    source = iter(blocks)
    try:
        for _ in range(AT_FIRST):
            if (block := next(source, None)) is None:
                return
            yield block
        yield from _in_a_thread(source, depth)
    finally:
        if isinstance(source, Generator):
            source.close()


def _in_a_thread(source: Iterator[Block], depth: int) -> Generator[Block]:
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        coming: deque[Future[Block | None]] = deque(thread.submit(next, source, None) for _ in range(depth))
        while (block := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, source, None))
            yield block
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
