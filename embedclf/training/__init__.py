"""From vectors and labels to a classifier. scikit-learn and scipy are needed from here up."""
