"""Many requests in flight: how many, by which threads, and how they are stopped."""
