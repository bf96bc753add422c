"""Links that a store signs: anybody may follow them, for a while."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from mixdown.errors import InvalidRequest
from mixdown.storage import ObjectStore, S3Options
from tests.services.s3_server import S3
from tests.services.store_roots import BODY, Root

NAME = "Größe, 100 %.mp3"


def test_a_signed_link_leads_to_the_bytes(root: Root, store: ObjectStore) -> None:
    """S3 hands them out under their owner's name, in ranges too; a folder signs nothing."""
    stored = store.put_bytes(BODY, "masters/one two.mp3", media_type="audio/mpeg")

    url = store.signed_url(stored, filename=NAME, expires_s=60)

    if root.s3 is None:
        assert url is None
        return
    assert url is not None
    whole = httpx.get(url)
    part = httpx.get(url, headers={"range": "bytes=10-19"})
    assert whole.content == BODY
    assert whole.headers["content-type"] == "audio/mpeg"
    assert "Gr%C3%B6%C3%9Fe%2C%20100%20%25.mp3" in whole.headers["content-disposition"]
    assert (part.status_code, part.content) == (206, BODY[10:20])


def test_links_name_the_address_that_clients_know(s3: S3) -> None:
    """A link leads there and is signed for it; the store itself is reached where it was before."""
    inside = urlsplit(s3.options.endpoint_url or "")
    other = "localhost" if inside.hostname != "localhost" else "127.0.0.1"
    public = f"{inside.scheme}://{other}:{inside.port}"
    store = ObjectStore(s3.url, s3=replace(s3.options, public_url=public))
    stored = store.put_bytes(BODY, "masters/one two.mp3", media_type="audio/mpeg")

    url = store.signed_url(stored, filename=NAME, expires_s=60)

    assert url is not None
    assert url.startswith(f"{public}/{s3.bucket}/")
    assert httpx.get(url).content == BODY
    if s3.engine == "radosgw":  # moto checks no signatures
        assert httpx.get(url.replace(public, s3.options.endpoint_url or "")).status_code == 403


def test_links_do_not_ask_the_address_that_clients_know(s3: S3) -> None:
    """It may be one that this machine cannot reach."""
    store = ObjectStore(s3.url, s3=replace(s3.options, public_url="https://s3.example.invalid"))
    stored = store.put_bytes(BODY, "masters/one.mp3", media_type="audio/mpeg")

    url = store.signed_url(stored, filename=NAME, expires_s=60)

    assert url is not None
    assert url.startswith("https://s3.example.invalid/")


@pytest.mark.parametrize(
    "url", ["s3.example.com", "ftp://s3.example.com", "https://", "https://me:secret@s3.example"]
)
def test_what_is_no_address_for_links_is_refused(url: str) -> None:
    """It is told when the process starts, without the address."""
    with pytest.raises(InvalidRequest) as told:
        S3Options(public_url=url)

    assert "secret" not in str(told.value)
