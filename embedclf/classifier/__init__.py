"""Everything between vectors and labels. Prediction needs nothing beyond numpy."""
