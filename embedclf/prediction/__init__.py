"""Labels for many texts: from files and iterators, here or on other machines."""
