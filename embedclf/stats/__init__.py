"""Metrics, confidence intervals and nearest neighbours. Needs only numpy."""
