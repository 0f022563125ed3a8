"""Labelling texts one by one: the order of texts, the answers, and learning from them."""
