"""Which of many objects are there, found out by listing them: a page of a listing answers for up to 1,000.

Two ways, and whoever does not know the store has to try. Where most of what lies there is asked for, as when a
batch is run again, long pages are read. Where it is a drop in the sea, each folder is looked into by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from os.path import commonprefix
from typing import Any

#: (prefix, after, most) -> so many objects under a prefix and after a key, and whether there are more.
Page = Callable[[str, str, int], tuple[Sequence[dict[str, Any]], bool]]

_LONGEST_PAGE = 1000
_AT_ONCE = 8
#: Fewer folders than this are looked into one by one in any case.
_FEW_FOLDERS = 16
#: A long page is worth its price while at least this share of it is of interest.
_WORTH_IT = 1 / 8


def etags_of(page: Page, keys: Collection[str]) -> dict[str, str]:
    """The ETags of those of these objects that are there."""
    folders = [list(each) for _, each in groupby(sorted(set(keys), key=_order), key=_folder)]
    if not folders:
        return {}
    if len(folders) == 1:
        return _look_into(page, folders[0])
    each = -(-len(folders) // _AT_ONCE)
    spans = [folders[start : start + each] for start in range(0, len(folders), each)]
    read = _read_through if len(folders) >= _FEW_FOLDERS else _look_into_each
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {key: etag for some in pool.map(lambda span: read(page, span), spans) for key, etag in some.items()}


def _read_through(page: Page, folders: list[list[str]]) -> dict[str, str]:
    """Read long pages from the first folder on, for as long as that pays."""
    found: dict[str, str] = {}
    prefix = _common_folder(folders)
    while folders:
        first = folders[0][0]
        listed, more = page(prefix, first[:-1] if len(first) > len(prefix) + 1 else "", _LONGEST_PAGE)
        wanted = {key for folder in folders for key in folder}
        hits = {each["Key"]: each["ETag"].strip('"') for each in listed if each["Key"] in wanted}
        found |= hits
        if not more or not listed:
            return found
        last = _order(listed[-1]["Key"])
        folders = [rest for folder in folders if (rest := [key for key in folder if _order(key) > last])]
        if len(hits) < _WORTH_IT * len(listed):
            break
    return found | _look_into_each(page, folders)


def _look_into_each(page: Page, folders: list[list[str]]) -> dict[str, str]:
    return {key: etag for folder in folders for key, etag in _look_into(page, folder).items()}


def _look_into(page: Page, keys: list[str]) -> dict[str, str]:
    """The ETags of these objects of one folder, passing over what lies between them."""
    found: dict[str, str] = {}
    prefix, after = _folder(keys[0]), ""
    while keys:
        after = max(after, keys[0][:-1] if len(keys[0]) > len(prefix) + 1 else "", key=_order)
        listed, more = page(prefix, after, min(2 * len(keys) + 8, _LONGEST_PAGE))
        there = {each["Key"]: each["ETag"].strip('"') for each in listed}
        found |= {key: there[key] for key in keys if key in there}
        if not more or not listed:
            break
        after = listed[-1]["Key"]
        keys = [key for key in keys if _order(key) > _order(after)]
    return found


def _common_folder(folders: list[list[str]]) -> str:
    return _folder(commonprefix([folders[0][0], folders[-1][0]]))  # noqa: RUF071 (by characters)


def _folder(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _order(key: str) -> bytes:
    """S3 lists in the order of the bytes, which is not that of UTF-16 or of a language."""
    return key.encode(errors="surrogatepass")
