"""Memory that is free goes back to the system."""

from __future__ import annotations

import platform

import psutil
import pytest

from mixdown.heap import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free, and can give it back")
def test_free_pages_are_given_back() -> None:
    """What lies free below something that is still used is returned as well."""
    process = psutil.Process()
    pieces = [bytearray(b"x") * 8192 for _ in range(20_000)]
    held = pieces[-1]
    full = process.memory_info().rss
    pieces.clear()

    give_back()

    assert process.memory_info().rss < full - 80 * 2**20
    assert len(held) == 8192
