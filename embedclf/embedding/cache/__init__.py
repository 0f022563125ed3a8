"""Vectors on disk: one folder for each model, one file for each batch."""
