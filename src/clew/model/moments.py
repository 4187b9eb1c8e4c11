"""The range of moments that Clew keeps."""

LAST_NS = 1 << 62
"""No moment lies beyond this (the year 2116), so that sums of two still fit the engine's Int64."""
