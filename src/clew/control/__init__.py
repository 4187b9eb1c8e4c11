"""Control state: alerts, incidents, notices and reactions in a relational database (SQLite, or PostgreSQL)."""
