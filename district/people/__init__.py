"""Residents and staff: who they are and what they may do."""
