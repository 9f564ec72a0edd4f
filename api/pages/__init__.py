"""Pages for residents and operators."""
