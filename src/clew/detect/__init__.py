"""Findings: what rules look for, judged over values that the caller has read."""
