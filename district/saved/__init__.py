"""Lists that somebody wants to come back to."""
