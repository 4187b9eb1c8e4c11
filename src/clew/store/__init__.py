"""The store: one contract, its engines, the schema and the named queries."""
