"""What Alembic runs: the steps that are missing, inside the transaction of the connection that it was given."""

from alembic import context

from clew.control.tables import META

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=META,
    render_as_batch=True,  # SQLite can't alter a column: Alembic copies the table then
)
context.run_migrations()
