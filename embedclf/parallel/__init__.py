"""Parallel work on other cores and machines."""
