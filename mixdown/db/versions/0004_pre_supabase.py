"""On Supabase: jobs and batches are published, and every row is its owner's."""

from alembic import context, op

from mixdown.db import supabase

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    if supabase.is_wanted(op.get_bind(), context.config.attributes.get("supabase", "auto")):
        supabase.prepare(op.get_bind())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        supabase.undo(op.get_bind())
