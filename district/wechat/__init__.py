"""WeChat as the district uses it to speak: the API client, its token and its errors. The chat is `bot/`."""

from __future__ import annotations

import os
import threading

from flask import Flask

from district.wechat.client import WeChatClient
from district.wechat.redaction import protect_library_logs
from district.wechat.tickets import TicketKeeper
from district.wechat.tokens import TokenKeeper


class _Clients:
    """One token keeper for each process and one client for each of its threads.

    Made anew after a fork: a connection shared with the parent would mix up answers.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pid = 0
        self._tokens: TokenKeeper | None = None
        self._local = threading.local()

    def tickets(self, app: Flask) -> TicketKeeper:
        config = app.config["BIHUAN"]
        return TicketKeeper(
            app_id=config.wechat_app_id,
            door=app.extensions.get("redis_door"),
            fetch=lambda: self.client(app).jsapi_ticket(),
        )

    def client(self, app: Flask) -> WeChatClient:
        config = app.config["BIHUAN"]
        with self._guard:
            if self._pid != os.getpid() or self._tokens is None:
                self._pid, self._local = os.getpid(), threading.local()
                self._tokens = TokenKeeper(
                    app_id=config.wechat_app_id,
                    secret=config.wechat_app_secret,
                    base_url=config.wechat_api_base_url,
                    door=app.extensions.get("redis_door"),
                )
            tokens, local = self._tokens, self._local
        client: WeChatClient | None = getattr(local, "client", None)
        if client is None:
            client = local.client = WeChatClient(
                app_id=config.wechat_app_id,
                secret=config.wechat_app_secret,
                base_url=config.wechat_api_base_url,
                tokens=tokens,
            )
        return client


def client_for(app: Flask) -> WeChatClient:
    """This thread's client for the application's account."""
    protect_library_logs()
    return _clients(app).client(app)


def ticket_for(app: Flask) -> str:
    """The ticket that pages' signatures are made with; raises `district.wechat.errors`."""
    return _clients(app).tickets(app).get()


def _clients(app: Flask) -> _Clients:
    clients: _Clients = app.extensions.setdefault("wechat_clients", _Clients())
    return clients
