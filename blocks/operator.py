"""Blocks that an operator has saved for Mixdown, under the one name that is looked for."""

from __future__ import annotations

from typing import TypeVar, cast

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

#: Save a block under this name and Mixdown uses it.
DOCUMENT_NAME = "mixdown"

AnyBlock = TypeVar("AnyBlock", bound=Block)


def find_block(kind: type[AnyBlock]) -> AnyBlock | None:
    """The operator's block of this kind, or None if there is none: then settings hold."""
    return cast(AnyBlock, kind.load(DOCUMENT_NAME)) if DOCUMENT_NAME in _names(kind) else None


def find_blocks(kind: type[AnyBlock]) -> dict[str, AnyBlock]:
    """Every block of this kind that the operator has saved, by its name."""
    return {name: cast(AnyBlock, kind.load(name)) for name in _names(kind)}


def _names(kind: type[Block]) -> list[str]:
    slug = kind.get_block_type_slug()
    with get_client(sync_client=True) as client:
        known = {block_type.slug for block_type in client.read_block_types()}
        documents = client.read_block_documents_by_type(slug) if slug in known else []
    return [document.name for document in documents if document.name]
