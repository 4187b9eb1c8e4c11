"""The plan of the load is decided by the seed, and has something of everything."""

from itertools import islice

from clew_demo.load import plan


def first(count, seed):
    return list(islice(plan(seed), count))


def test_the_same_seed_plans_the_same_orders():
    assert first(50, seed=7) == first(50, seed=7)
    assert first(50, seed=7) != first(50, seed=8)


def test_shop_and_partner_orders_holds_and_cancellations_all_occur_within_a_minute_of_load():
    orders = first(60, seed=1)
    assert {order.path for order in orders} == {"b2c", "b2b"}
    assert any(order.held_s for order in orders)
    assert any(order.cancelled for order in orders)


def test_only_shop_customers_cancel():
    assert not [order for order in first(500, seed=3) if order.cancelled and order.path == "b2b"]


def test_no_planned_wait_comes_near_the_limits_of_the_demo_flow():
    longest = max(max(order.think_s, order.decide_s, order.held_s) for order in first(500, seed=2))
    assert longest <= 2.0
