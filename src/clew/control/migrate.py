"""Makes and upgrades the tables of the control database with Alembic."""

from __future__ import annotations

import threading
from importlib.resources import as_file, files

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from clew.control.database import Database
from clew.model.errors import ControlError

# Any number will do, as long as all of Clew take the same: who has it may change the tables.
_MIGRATION_LOCK = 0x436C6577
# Alembic's `context` and `op` are one for a process.
_migrating = threading.Lock()


def migrate(database: Database) -> None:
    """Make or upgrade the tables; of several processes that start at once one does it, and the others wait.

    Raises ControlError, also when a newer Clew upgraded them.
    """
    with _migrating, as_file(files("clew.control") / "migrations") as folder, database.writing() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        _refuse_newer(connection, ScriptDirectory.from_config(config), database.name)
        upgrade(config, "head")


def _refuse_newer(connection: Connection, known: ScriptDirectory, name: str) -> None:
    revision = MigrationContext.configure(connection).get_current_revision()
    try:
        if revision is not None:
            known.get_revision(revision)
    except CommandError as error:
        latest = known.get_current_head()
        raise ControlError(
            f"{name} was upgraded by a newer Clew (to {revision}, this one knows {latest}); upgrade Clew"
        ) from error
