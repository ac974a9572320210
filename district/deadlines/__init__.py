"""Deadlines: the working calendar and when something is due."""
