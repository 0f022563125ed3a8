"""Metrics of a classifier, and comparisons of several."""
