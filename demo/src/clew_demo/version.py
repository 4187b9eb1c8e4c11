"""The version of clew-demo."""

__version__ = "0.1.0"
