"""The words of Clew as frozen values: no I/O, no clock, standard library only."""
