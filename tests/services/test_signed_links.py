"""Links that a store signs: anybody may follow them, for a while."""

from __future__ import annotations

import httpx

from mixdown.storage import ObjectStore
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
