"""Flows: YAML to `Flow` with good errors, and stage rules to SQL."""

from clew.flow.load import default_flow, default_flow_text, load_flow, parse_flow

__all__ = ["default_flow", "default_flow_text", "load_flow", "parse_flow"]
