"""Keys with which machines speak to us: who has one, what it opens, and whether the one at hand is good."""
