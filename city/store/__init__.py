"""What the town remembers. Knows the city; the rest of the city never imports it."""
