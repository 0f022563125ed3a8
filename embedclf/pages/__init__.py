"""Reports and maps as single HTML files."""
