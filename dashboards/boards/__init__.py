"""One function for each board."""
