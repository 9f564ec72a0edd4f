"""Alembic's way in: migrates over the connection that city.store.opening hands it, in its transaction."""

from alembic import context

from city.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
