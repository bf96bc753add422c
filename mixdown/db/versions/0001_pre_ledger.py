"""The ledger: jobs, batches, history, results and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision = "0001", None

_MOMENT = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("title", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("spec", _JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("progress", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("work", _JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("result_key", sa.String(64)),
        sa.Column("result", _JSON),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_detail", sa.Text()),
        sa.Column("failed_stage", sa.String(16)),
        sa.Column("flow_run_id", sa.Uuid()),
        sa.Column("owner", sa.Text()),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("heartbeat_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("idempotency_key", name="uq_jobs_idempotency_key"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_jobs_batch_id_batches"),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'rejected')",
            name=op.f("ck_jobs_status"),
        ),
        sa.CheckConstraint("stage IN ('validate', 'process', 'store', 'notify')", name=op.f("ck_jobs_stage")),
        sa.CheckConstraint(
            "failed_stage IN ('validate', 'process', 'store', 'notify')", name=op.f("ck_jobs_failed_stage")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_jobs_progress")),
        sa.CheckConstraint(
            "status <> 'running' OR (owner IS NOT NULL AND heartbeat_at IS NOT NULL)", name=op.f("ck_jobs_held")
        ),
        sa.CheckConstraint("status <> 'succeeded' OR result IS NOT NULL", name=op.f("ck_jobs_delivered")),
        sa.CheckConstraint("status <> 'failed' OR error_code IS NOT NULL", name=op.f("ck_jobs_explained")),
    )
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_status_created_at", "jobs", ["status", "created_at"])
    op.create_index("ix_jobs_batch_id_status", "jobs", ["batch_id", "status"])
    op.create_index("ix_jobs_result_key", "jobs", ["result_key"])
    op.create_table(
        "batch_jobs",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "job_id", name="pk_batch_jobs"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_jobs_batch_id_batches", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_batch_jobs_job_id_jobs", ondelete="CASCADE"),
    )
    op.create_index("ix_batch_jobs_job_id", "batch_jobs", ["job_id"])
    op.create_table(
        "job_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_job_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_events_job_id_jobs", ondelete="CASCADE"),
    )
    op.create_index("ix_job_events_job_id_id", "job_events", ["job_id", "id"])
    op.create_table(
        "results",
        sa.Column("result_key", sa.String(64), nullable=False),
        sa.Column("result", _JSON, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("result_key", name="pk_results"),
    )
    op.create_index("ix_results_last_used_at", "results", ["last_used_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("target", _JSON, nullable=False),
        sa.Column("target_digest", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("next_attempt_at", _MOMENT),
        sa.Column("delivered_at", _MOMENT),
        sa.Column("last_answer", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("job_id", "fence", "target_digest", name="uq_deliveries_job_id_fence_target_digest"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_deliveries_job_id_jobs", ondelete="CASCADE"),
    )
    due = sa.text("next_attempt_at IS NOT NULL")
    op.create_index("ix_deliveries_due", "deliveries", ["next_attempt_at"], sqlite_where=due, postgresql_where=due)


def downgrade() -> None:
    for table in ("deliveries", "results", "job_events", "batch_jobs", "jobs", "batches"):
        op.drop_table(table)
