"""Prediction over many texts, from files and iterators, in this process or on other cores and machines."""
