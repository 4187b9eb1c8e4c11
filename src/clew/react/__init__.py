"""Reactions: guarded automated actions on incidents, each decided by a pure function and recorded with its result.

reactions.yaml --load--> ReactionSet        decide (pure) --> control/reactions --> actions --> what people are told
"""
