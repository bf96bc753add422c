"""Batches that anyone may work on: their state, who is at work, retries in the queue, outages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision = "0002", "0001"

_MOMENT = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("priority", sa.String(16), server_default=sa.text("'normal'"), nullable=False)
    )
    op.add_column("batches", sa.Column("attached", sa.Boolean(), server_default=sa.false(), nullable=False))
    for name in ("paused_at", "cancelled_at", "dispatched_at", "closed_at"):
        op.add_column("batches", sa.Column(name, _MOMENT))
    # Batches of before were worked on by the process that asked for them: nobody is sent to them now.
    op.execute("UPDATE batches SET closed_at = created_at")
    op.create_index("ix_batches_created_at", "batches", ["created_at"])
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_batches_open", "batches", ["created_at"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.add_column("jobs", sa.Column("deaths", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("not_before", _MOMENT))
    op.add_column("jobs", sa.Column("origin", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("jobs", sa.Column("size_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    queued = sa.text("status = 'queued'")
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        ["batch_id", "deaths", "created_at", "id"],
        sqlite_where=queued,
        postgresql_where=queued,
    )
    op.create_table(
        "shifts",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("flow_run_id", sa.Uuid()),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("heartbeat_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_shifts"),
    )
    op.create_table(
        "outages",
        sa.Column("dependency", sa.Text(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("jobs", _JSON, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("probes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_probe_at", _MOMENT),
        sa.Column("probe_until", _MOMENT),
        sa.PrimaryKeyConstraint("dependency", name="pk_outages"),
    )


def downgrade() -> None:
    op.drop_table("outages")
    op.drop_table("shifts")
    op.drop_index("ix_jobs_queue", "jobs")
    for name in ("size_bytes", "origin", "not_before", "tries", "deaths"):
        op.drop_column("jobs", name)
    op.drop_index("ix_batches_open", "batches")
    op.drop_index("ix_batches_created_at", "batches")
    for name in ("closed_at", "dispatched_at", "cancelled_at", "paused_at", "attached", "priority"):
        op.drop_column("batches", name)
