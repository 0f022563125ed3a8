"""Labelling texts one by one: what to ask next, what was answered, and what the answers bring."""
