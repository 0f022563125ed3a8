"""Numbers about a classifier."""
