"""Word features of texts. Needs only numpy."""
