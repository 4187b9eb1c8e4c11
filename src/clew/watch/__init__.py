"""The watch: reads what rules need, lets the pure rooms decide, and writes what they decided."""
