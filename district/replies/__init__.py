"""Replies to residents: the words they are made of, and what fills their placeholders."""
