"""Flows: YAML to `Flow` with good errors, and stage rules to SQL."""

from clew.flow.load import default_flow, default_flow_text, load_flow, parse_flow
from clew.flow.render import format_problems, render_flow
from clew.flow.rules import rules_sql

__all__ = [
    "default_flow",
    "default_flow_text",
    "format_problems",
    "load_flow",
    "parse_flow",
    "render_flow",
    "rules_sql",
]
