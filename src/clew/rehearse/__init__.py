"""Rules before they may wake anybody: played against written cases, and over the past."""
