"""What the town is, and what it remembers: domain types and decisions, with the store as its only door."""
