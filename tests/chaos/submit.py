"""The batch handed in as a person would: a manifest and one command."""

from __future__ import annotations

import json
from uuid import UUID

from tests.chaos.house import House
from tests.chaos.items import Item


def submit(house: House, items: list[Item]) -> UUID:
    """Write a manifest of the items and submit it; the batch."""
    manifest = house.folder / "batch.jsonl"
    manifest.write_text("".join(json.dumps(_row(number, item)) + "\n" for number, item in enumerate(items)))
    words = ["--manifest", str(manifest), "--denoise", "off", "--never-worse", "off", "--title", "chaos"]
    words += ["--out", house.delivered_url, "--notify", house.receiver.url, "--json"]
    said = house.run("batch", "submit", *words)
    return UUID(json.loads(said)["batch_id"])


def _row(number: int, item: Item) -> dict[str, str]:
    return {"source": item.uri, "format": "mp3" if number % 3 == 0 else "flac"}
