"""Figures about the work: what they mean, how they are counted, and that they add up (docs/numbers.md)."""
