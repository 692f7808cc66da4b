"""Alembic's entrance: runs the migrations on the connection that `connector.store.migrate` gives.

To make a new one, change `connector/store/tables.py` and write the next file in `versions/`.
"""

from alembic import context

from connector.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can do it, and our transactions begin before the first change
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
