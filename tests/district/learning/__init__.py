"""Tests of what the district learns."""
