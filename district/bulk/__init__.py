"""One act on many reports: what has come of it, row by row."""
