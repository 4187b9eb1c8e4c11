"""One source, two deployments: what the schema becomes on one node and on a cluster."""

import re

import pytest

from clew.flow import default_flow, rules_sql
from clew.store.render import Layout, Masking, render_intake, render_tables, render_view

CLUSTER = Layout(cluster="orders'cluster")


def statement(statements, name):
    return next(each for each in statements if re.search(rf"(TABLE IF NOT EXISTS|TABLE|VIEW) {name}\b", each))


@pytest.mark.parametrize(
    ("table", "one_node", "cluster", "shard"),
    [
        ("spans", "MergeTree()", "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
         "cityHash64(trace_id)"),
        ("orders", "ReplacingMergeTree(version, gone)",
         "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version, gone)",
         "cityHash64(order_id)"),
        ("order_events", "ReplacingMergeTree()",
         "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
         "cityHash64(order_id)"),
        ("trace_orders", "AggregatingMergeTree()",
         "ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
         "cityHash64(ref)"),
    ],
)  # fmt: skip
def test_a_table_has_one_engine_alone_and_two_in_a_cluster(table, one_node, cluster, shard):
    assert f"ENGINE = {one_node}\n" in statement(render_tables(Layout()), table)
    made = render_tables(CLUSTER)
    local, whole = statement(made, f"{table}_local"), statement(made, table)
    assert f"ENGINE = {cluster}\n" in local
    assert "replicated_deduplication_window = 1000" in local
    assert "non_replicated" not in local
    assert whole.endswith(f"ENGINE = Distributed('orders\\'cluster', currentDatabase(), '{table}_local', {shard})")


def test_both_deployments_have_the_same_columns():
    columns = [
        re.search(r"\n\((.*?)\n\)\nENGINE", each, re.DOTALL) for each in render_tables(Layout()) if "ENGINE" in each
    ]
    in_cluster = [
        re.search(r"\n\((.*?)\n\)\nENGINE", each, re.DOTALL)
        for each in render_tables(CLUSTER)
        if "_local ON" in each and "ENGINE" in each
    ]
    assert [each.group(1) for each in columns] == [each.group(1) for each in in_cluster]


def test_every_cluster_statement_names_the_cluster():
    assert all("ON CLUSTER 'orders\\'cluster'" in each for each in (*render_tables(CLUSTER), *render_intake(CLUSTER)))
    assert not any("ON CLUSTER" in each for each in (*render_tables(Layout()), *render_intake(Layout())))


def test_a_view_reads_what_lies_on_its_node_and_writes_to_the_whole():
    view = statement(render_intake(CLUSTER), "touch_orders")
    assert "FROM order_events_local AS e" in view
    assert "TO order_touch AS" in view
    assert "FROM order_events AS e" in statement(render_intake(Layout()), "touch_orders")


def test_nothing_is_left_unrendered():
    for layout in (Layout(), CLUSTER, Layout(masking=Masking((), (), ()))):
        for each in (*render_tables(layout), *render_intake(layout)):
            assert not re.search(r"\$\{|\$\w+\(", each), each


def test_retention_is_a_time_to_live_and_no_days_mean_for_ever():
    kept = Layout(span_days=0, event_days=90)
    assert "TTL" not in statement(render_tables(kept), "spans")
    assert (
        "TTL if(source = 'import', toDateTime('2106-01-01 00:00:00'), toDateTime(ts) + toIntervalDay(90))"
    ) in statement(render_tables(kept), "order_events")


def test_stage_rules_stand_in_the_view_that_derives_stages():
    rules = rules_sql([default_flow()])
    assert rules in render_view(Layout(rules=rules), "derive_stages_of_spans")


def test_a_masked_key_is_quoted():
    view = render_view(Layout(masking=Masking(removed=("it's\\",), shortened=(), urls=())), "explode_spans")
    assert "'it\\'s\\\\'" in view
