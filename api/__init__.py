"""What people and programs may ask."""
