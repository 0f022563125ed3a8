"""Results as text: the tables of the command line, which ``print`` shows as well."""
