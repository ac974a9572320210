"""Routing: each report to one responsible unit, with a reason."""
