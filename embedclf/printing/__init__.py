"""Results as lines of text: what the commands show, and ``print`` as well."""
