"""Which of many objects are there, found out with few requests."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from mixdown.storage.s3_listing import etags_of


class Listing:
    """What S3 answers, from a sorted list of keys."""

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = sorted(keys, key=str.encode)
        self.pages: list[int] = []

    def __call__(self, prefix: str, after: str, most: int) -> tuple[Sequence[dict[str, Any]], bool]:
        start = bisect_right(self._keys, after.encode(), key=str.encode)
        under = [key for key in self._keys[start:] if key.startswith(prefix)]
        self.pages.append(len(under[:most]))
        return [{"Key": key, "ETag": f'"{key}!"'} for key in under[:most]], len(under) > most


def results(count: int) -> list[str]:
    """The objects of so many results, as they are called."""
    names = ("0.mp3", "report.json", "waveform.png")
    return [f"masters/{n % 256:02x}/{n:064x}/{name}" for n in range(count) for name in names]


KEYS = some.lists(some.text(alphabet="ab/é😀", min_size=1, max_size=6).filter(lambda key: key[-1] != "/"))


@given(there=KEYS, wanted=KEYS)
def test_what_is_there_is_found(there: list[str], wanted: list[str]) -> None:
    """Of any objects exactly those are found that are there, each with its ETag."""
    assert etags_of(Listing(there), wanted) == {key: f"{key}!" for key in {*wanted} & {*there}}


@given(some.data())
def test_what_is_there_is_found_among_many(data: some.DataObject) -> None:
    """That holds in a store of thousands of objects, whether all or a few of them are asked for."""
    there = results(1200)
    wanted = data.draw(some.lists(some.sampled_from([*there, *results(2000)]), max_size=60))

    assert etags_of(Listing(there), wanted).keys() == {*wanted} & {*there}


def test_a_batch_that_is_run_again_costs_a_few_requests() -> None:
    """Where all that lies in the store is asked for, long pages are read."""
    listing = Listing(results(2000))

    assert len(etags_of(listing, results(2000))) == 6000
    assert len(listing.pages) <= 16


def test_a_few_results_in_a_large_store_are_looked_up() -> None:
    """Where little of what lies in the store is asked for, not much more than that is read."""
    listing = Listing(results(20_000))
    wanted = [key for number, key in enumerate(results(20_000)) if number % 600 < 3]

    assert len(etags_of(listing, wanted)) == len(wanted) == 300
    assert len(listing.pages) <= 100 + 8
    assert sum(listing.pages) <= 8 * 1000 + 300


def test_one_large_folder_is_passed_through() -> None:
    """Copies that were delivered into one folder with many others are found without reading all of those."""
    listing = Listing([f"out/{number:06}.mp3" for number in range(50_000)])

    assert len(etags_of(listing, [f"out/{number:06}.mp3" for number in range(0, 50_000, 5000)])) == 10
    assert sum(listing.pages) < 1000


def test_nothing_asked_nothing_read() -> None:
    """No object costs no request, and a few of one folder cost one."""
    listing = Listing(results(10))

    assert etags_of(listing, []) == {}
    assert len(etags_of(listing, results(1))) == 3
    assert len(listing.pages) == 1
