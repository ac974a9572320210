"""Door 1: the WeChat official account's chat, its menu and the operator's commands for it."""

from __future__ import annotations

from flask import Flask

from bot import models as models


def register(app: Flask) -> None:
    """Add this door to the application: the callback, and in development the chat window."""
    from bot import again, chat, commands, conversation, menu, views
    from bot.protocol.crypto import Seal
    from district.config import Config

    config: Config = app.config["BIHUAN"]
    seal = Seal(
        token=config.wechat_token,
        app_id=config.wechat_app_id,
        aes_key=config.wechat_encoding_aes_key,
        mode=config.wechat_mode,
    )
    app.wsgi_app = views.Callback(app, app.wsgi_app, seal)  # type: ignore[method-assign]
    app.extensions.setdefault("sweeps", []).extend([again.try_again, conversation.finish_unanswered])
    # The panel shows and publishes it without knowing this door.
    app.extensions["account_menu"] = menu.buttons
    chat.register(app, config)
    commands.register()
