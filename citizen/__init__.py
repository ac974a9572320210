"""Door: to be described."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add this door to the application."""
