"""The only door to ChirpStack: events in, commands out."""
