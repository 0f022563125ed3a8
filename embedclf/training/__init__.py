"""From vectors and labels to a classifier. Here scikit-learn begins."""
