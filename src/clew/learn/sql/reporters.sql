-- Which service reports each stage.
SELECT stage, service, count() AS reports
FROM order_events
WHERE stage != '' AND outcome != 'failed' AND order_id GLOBAL IN
(
    SELECT arrayJoin(arrayPushFront(alias_values, order_id)) FROM orders FINAL
    WHERE order_id GLOBAL IN (SELECT order_id FROM (${ways}))
)
GROUP BY stage, service
