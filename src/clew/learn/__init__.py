"""What history teaches: flows from what happened, projections, and what other limits would have said."""
