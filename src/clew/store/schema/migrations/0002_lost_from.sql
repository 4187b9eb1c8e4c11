-- A loss that only silence tells of counts once the order is late, so the moment from which it counts is a column;
-- and the open partition is swapped for a clean one, which needs a twin of the table.
CHANGE orders ADD COLUMN lost_from DateTime64(9, 'UTC') AFTER lost_since;

TWIN orders_swap OF orders;
