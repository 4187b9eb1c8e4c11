"""Stand-ins for the services that tell people: small servers that keep the vendors' public rules, and fail at times.

The rules are those of docs.slack.dev and developer.pagerduty.com, as far as Clew's messages can break them.
"""
