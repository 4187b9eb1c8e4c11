"""Orders, visits and spans out of Clew, as files of any size.

    filter --plan--> slices that fit in memory --one query, slice by slice--> rows --engine--> CSV, JSON Lines, Parquet

The engine filters, sorts and formats; no row passes through Python.
"""

from clew.export.orders import export_orders
from clew.export.spans import export_spans
from clew.export.visits import VisitFilter, export_visits

__all__ = ["VisitFilter", "export_orders", "export_spans", "export_visits"]
