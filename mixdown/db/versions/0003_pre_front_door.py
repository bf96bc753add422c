"""The front door: keys and who used them, requests under a name, webhooks in and out, digests of batches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision = "0003", "0002"

_MOMENT = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: Whoever listens is told that there is something new in the history of jobs: once for each transaction.
_TELL = """
CREATE FUNCTION mixdown_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mixdown_events', '');
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("key_id", sa.Uuid()))
    op.create_index("ix_jobs_key_id_created_at_id", "jobs", ["key_id", "created_at", "id"])
    op.add_column("batches", sa.Column("key_id", sa.Uuid()))
    op.add_column("batches", sa.Column("notify", _JSON, server_default=sa.text("'[]'"), nullable=False))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("job_id", existing_type=sa.Uuid(), nullable=True)
        deliveries.add_column(sa.Column("batch_id", sa.Uuid()))
        deliveries.add_column(sa.Column("endpoint_id", sa.Uuid()))
        deliveries.create_foreign_key(
            "fk_deliveries_batch_id_batches", "batches", ["batch_id"], ["id"], ondelete="CASCADE"
        )
    op.create_table(
        "delivery_attempts",
        sa.Column("id", _COUNTER, primary_key=True),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name="fk_delivery_attempts_delivery_id_deliveries",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_delivery_attempts_delivery_id_id", "delivery_attempts", ["delivery_id", "id"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("last_used_at", _MOMENT),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", _COUNTER, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("key_id", sa.Uuid()),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("detail", _JSON, server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_table(
        "api_requests",
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("owner", "scope", "name", name="pk_api_requests"),
    )
    op.create_index("ix_api_requests_created_at", "api_requests", ["created_at"])
    op.create_table(
        "hook_messages",
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("hook", "message", name="pk_hook_messages"),
    )
    op.create_index("ix_hook_messages_seen_at", "hook_messages", ["seen_at"])
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid()),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("events", _JSON, nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("rotated_at", _MOMENT),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT),
        sa.Column("disabled_why", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_TELL)
        op.execute(
            "CREATE TRIGGER mixdown_tell AFTER INSERT ON job_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION mixdown_tell()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER mixdown_tell ON job_events")
        op.execute("DROP FUNCTION mixdown_tell")
    for table in (
        "webhook_endpoints",
        "hook_messages",
        "api_requests",
        "audit_log",
        "api_keys",
        "delivery_attempts",
    ):
        op.drop_table(table)
    op.execute("DELETE FROM deliveries WHERE job_id IS NULL")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_constraint("fk_deliveries_batch_id_batches", type_="foreignkey")
        deliveries.drop_column("endpoint_id")
        deliveries.drop_column("batch_id")
        deliveries.alter_column("job_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_column("batches", "notify")
    op.drop_column("batches", "key_id")
    op.drop_index("ix_jobs_key_id_created_at_id", "jobs")
    op.drop_column("jobs", "key_id")
