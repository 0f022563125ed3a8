"""From a text to its vector."""
