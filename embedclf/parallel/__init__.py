"""Work on other cores and machines."""
