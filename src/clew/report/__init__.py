"""What history teaches: reports over orders, as SQL and pure functions."""
