"""Lengthy work that somebody asked for: exports, imports, sheets of labels. Asked, done by a process, fetched."""
