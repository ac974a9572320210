"""Responsible units (责任单位): who answers for what."""
