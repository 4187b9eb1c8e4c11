"""Rules in a few words, and as the terminal shows them."""

import pytest
from rich.console import Console

from clew.cli.rules import render_rules
from clew.rules import default_rules, parse_rules
from clew.rules.words import rule_told, rule_words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("orders: {verdicts: [in_jeopardy], paths: [b2c]}", "orders that are in jeopardy of path b2c"),
        ("in_stage: {longer_than: 4h, stages: [PRICED]}", "orders in a stage over 4h in PRICED"),
        ("in_stage: {used: 90%}", "orders in a stage over 90% of the limit"),
        ("not_reached: {stage: SHIPPED, after_due: 0s}", "orders that didn't reach SHIPPED when due"),
        ("not_reached: {stage: SHIPPED, after_due: 2d}", "orders that didn't reach SHIPPED 2d after due"),
        ("too_early: {stage: SHIPPED, before_due: 9d}", "orders that reached SHIPPED over 9d before due"),
        ("on_hold: {before_due: 2d}", "orders on hold 2d before due"),
        ("deviations: {}", "orders that left their flow: any way"),
        ("spans: {http: 503, where: {k: v}}", "1 or more spans within 5m: HTTP 503 k=v"),
        ("slow: {above: 250ms}", "95 % quantile over 250ms within 5m: all spans"),
        ("surge: {of: stage, stage: SHIPPED, times: 3}", "a surge of stage SHIPPED, 3 times what is usual"),
        ("silence: {source: sender, except: [a]}", "telemetry silence of a sender but a"),
        ("queue: {longer_than: 4m, queues: [q]}", "1 or more messages in q that nobody takes for 4m"),
        ("clew: {troubles: behind}", "Clew itself: behind"),
    ],
)
def test_a_rule_is_told_in_a_few_words(written, words):
    assert rule_words(parse_rules(f"rules: r\nalerts: {{a: {{{written}}}}}").rules[0]) == words


@pytest.mark.parametrize("width", [220, 60])
def test_all_rules_are_shown_with_when_they_alert(width):
    console = Console(width=width, record=True)
    console.print(render_rules([rule_told(rule) for rule in default_rules().rules], "shipped", width))
    shown = console.export_text()
    assert all(rule.name in shown for rule in default_rules().rules)
    assert "after 5m" in shown
    assert "only tried" in shown
