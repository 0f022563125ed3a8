"""Everything between a vector and its label. To predict, numpy is enough."""
