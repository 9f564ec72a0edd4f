"""A town that answers like the real one."""
