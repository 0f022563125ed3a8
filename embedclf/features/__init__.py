"""From a text to its words, as numbers. Needs numpy only."""
