"""Door 1: the WeChat official account's chat."""

from __future__ import annotations

from flask import Flask

from bot import models as models


def register(app: Flask) -> None:
    """Add this door to the application."""
