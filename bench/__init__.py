"""The figures of Clew: how fast, how small, how durable. Run with ``make bench``; see ``bench.__main__``."""
