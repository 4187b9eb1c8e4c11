"""One folder a page: its route (I/O), its typed context (pure), its template."""
