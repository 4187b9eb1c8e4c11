-- What is told late of an order that ended is found by when it arrived. The step may be done again.
CHANGE orders ADD COLUMN IF NOT EXISTS told DateTime64(9, 'UTC') AFTER last_seen;
