"""The city database's revisions, run by city.store.opening."""
