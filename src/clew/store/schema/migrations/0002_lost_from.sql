-- A loss that only silence tells of counts once the order is late, so the moment from which it counts is a column. A crash
-- on the way must not stop the next start: every step may be done again.
CHANGE orders ADD COLUMN IF NOT EXISTS lost_from DateTime64(9, 'UTC') AFTER lost_since;
