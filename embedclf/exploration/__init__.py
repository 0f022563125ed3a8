"""Looking at texts, by what their vectors say: before there is a classifier, and after."""
