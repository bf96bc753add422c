"""Alembic's environment. It runs over the connection that `migrations` hands it, never its own."""

from alembic import context

from mixdown.db.front_door import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
