"""Clew follows one order through a labyrinth of services and says where it is stuck or lost."""

__version__ = "0.1.0"
