"""From findings to people: alerts, incidents, escalation, and the channels that tell of them."""
