"""Door 1: the WeChat official account's chat."""

from __future__ import annotations

from flask import Flask

from bot import models as models


def register(app: Flask) -> None:
    """Add this door to the application: the callback, and in development the chat window."""
    from bot import again, views
    from bot.protocol.crypto import Seal
    from district.config import Config
    from district.extensions import limiter
    from district.frame.http import csrf

    config: Config = app.config["BIHUAN"]
    app.extensions["wechat_seal"] = Seal(
        token=config.wechat_token,
        app_id=config.wechat_app_id,
        aes_key=config.wechat_encoding_aes_key,
        mode=config.wechat_mode,
    )
    # WeChat signs its requests; it knows neither our forms nor our limits.
    csrf.exempt(views.pages)
    limiter.exempt(views.pages)
    app.register_blueprint(views.pages)
    app.extensions.setdefault("sweeps", []).append(again.try_again)
