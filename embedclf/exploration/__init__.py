"""Exploring texts by their vectors: clusters, maps, search, recommendations, and suggestions of what to label."""
