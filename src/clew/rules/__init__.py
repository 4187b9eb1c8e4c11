"""Rules: YAML to `RuleSet` with good errors, and the set that ships with Clew."""

from clew.rules.load import default_rules, default_rules_text, load_rules, parse_rules

__all__ = ["default_rules", "default_rules_text", "load_rules", "parse_rules"]
