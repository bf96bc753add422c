"""Work on one recording on two cores: what comes before runs ahead in a thread.

The heavy libraries (FFmpeg, LAME, numba's kernels, ONNX Runtime) let go of the GIL, so threads suffice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from mixdown.dsp.processor import Block

#: How many blocks are made ahead: enough that neither side waits, few enough to cost no memory.
DEPTH = 3


def ahead(blocks: Iterable[Block], *, depth: int = DEPTH) -> Generator[Block]:
    """The same blocks in the same order, made in a thread while the caller works on those before.

    What the blocks' maker raises is raised here. A caller that stops early stops the maker.
    """
    source = iter(blocks)
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        coming: deque[Future[Block | None]] = deque(thread.submit(next, source, None) for _ in range(depth))
        while (block := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, source, None))
            yield block
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
        if isinstance(source, Generator):
            source.close()
