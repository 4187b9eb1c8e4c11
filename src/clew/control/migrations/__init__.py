"""How the tables of the control database came to be, step by step; the last step is what `clew.control.tables` says."""
