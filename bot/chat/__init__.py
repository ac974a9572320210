"""The development chat window and the stand-in for WeChat's servers. Never in production.

The window plays WeChat's side: it signs and encrypts each message and posts it over HTTP to `/wechat`, like WeChat
would. The stand-in answers the API calls that our jobs make, and shows what they push in the same window.
"""

from __future__ import annotations

from flask import Flask

from district.config import Config


def register(app: Flask, config: Config) -> None:
    """Add `/chat`, and `/_wechat` where the API's address is the stand-in's. Does nothing in production."""
    if config.is_production:
        return
    from bot.chat import stand_in, window
    from district.frame.http import csrf

    app.register_blueprint(window.pages)
    if config.uses_stand_in:
        csrf.exempt(stand_in.pages)
        app.register_blueprint(stand_in.pages)
