"""What a device should be running; no I/O."""
