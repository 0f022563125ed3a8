"""The vector cache on disk: one folder per model, one file per batch."""
