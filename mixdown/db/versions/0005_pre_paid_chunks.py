"""Purchases of speech: each is written down before it is paid."""

import sqlalchemy as sa
from alembic import context, op

from mixdown.db import supabase

revision, down_revision = "0005", "0004"

_MOMENT = sa.DateTime(timezone=True)
_OPEN = sa.text("outcome IS NULL")


def upgrade() -> None:
    op.create_table(
        "paid_chunks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("outcome", sa.String(16)),
    )
    op.create_index("ix_paid_chunks_job_id", "paid_chunks", ["job_id"])
    op.create_index(
        "ix_paid_chunks_open", "paid_chunks", ["key"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    if supabase.is_wanted(op.get_bind(), context.config.attributes.get("supabase", "auto")):
        supabase.prepare(op.get_bind())


def downgrade() -> None:
    op.drop_table("paid_chunks")
