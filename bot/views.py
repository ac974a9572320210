"""The official account's callback, `/wechat`: checked, opened, answered, always within WeChat's five seconds.

Not authentic, too old or undecryptable: 403. Whatever fails after that: `success`, so that WeChat neither
repeats the message for nothing nor tells the resident that the service is broken; we keep it and try again.

The callback stands before the frame that pages have (language, forms, limits, compression, security headers):
WeChat's server needs none of it, and it would cost as much as handling the message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from bot import again, conversation
from bot.protocol.crypto import MAX_BODY_BYTES, BadCallback, Seal
from bot.protocol.inbound import BadMessage, read
from bot.protocol.reply import ACKNOWLEDGED
from district import clock
from district.extensions import db

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)
PATH = "/wechat"


class CallbackRequest(Request):
    """WeChat's request: a short body, a query, nothing else."""

    max_content_length = MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What WeChat's server reads of an answer: no cookies, no caching, nothing that a `Response` has room for."""

    body: str = ""
    status: str = "200 OK"
    kind: str = "text/plain"
    more_headers: tuple[tuple[str, str], ...] = ()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = self.body.encode()
        start_response(
            self.status,
            [
                ("Content-Type", f"{self.kind}; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("X-Content-Type-Options", "nosniff"),
                *self.more_headers,
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class Callback:
    """Answers `/wechat` within an application context; everything else goes on to the pages."""

    def __init__(self, app: Flask, pages: WSGIApplication, seal: Seal) -> None:
        self._app = app
        self._pages = pages
        self._seal = seal

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._pages(environ, start_response)
        request = CallbackRequest(environ)
        with self._app.app_context():
            if request.method == "POST":
                answered = receive(request, self._seal)
            elif request.method in ("GET", "HEAD"):
                answered = verify(request, self._seal)
            else:
                answered = CallbackAnswer(status="405 METHOD NOT ALLOWED", more_headers=(("Allow", "GET, HEAD, POST"),))
        return answered(environ, start_response)


def verify(request: Request, seal: Seal) -> CallbackAnswer:
    """WeChat asks whether this address is ours: the echo goes back as it came."""
    try:
        seal.check_query(request.args, now=clock.now())
    except BadCallback as error:
        return _refused(error)
    return CallbackAnswer(request.args.get("echostr", ""))


def receive(request: Request, seal: Seal) -> CallbackAnswer:
    """A resident's message or event."""
    try:
        xml = seal.open(request.get_data(cache=False), request.args, now=clock.now())
    except RequestEntityTooLarge:
        return _refused(BadCallback("too large"))
    except BadCallback as error:
        return _refused(error)
    try:
        reply = answer(xml)
        if reply:
            return CallbackAnswer(seal.close(reply, now=clock.now()), kind="text/xml")
    except Exception as error:
        # A database's error may hold what a resident wrote, and needs no stack trace: it is locked or away.
        outside = isinstance(error, SQLAlchemyError | db.engine.dialect.loaded_dbapi.Error)
        log.error("a message was not handled", extra={"reason": type(error).__name__}, exc_info=not outside)
        _roll_back()
        again.keep(current_app, xml)
    return CallbackAnswer(ACKNOWLEDGED)


def answer(xml: str) -> str:
    """The passive reply in plain XML, "" for none. Raises whatever the database raises."""
    try:
        message = read(xml)
    except BadMessage as error:
        log.warning("an unreadable message was acknowledged", extra={"reason": str(error)})
        return ""
    answered = conversation.answer(message)
    log.debug("message answered", extra={"kind": message.kind, "event": message.event, "repeated": answered.repeated})
    return answered.reply


def _refused(error: BadCallback) -> CallbackAnswer:
    log.warning("callback refused", extra={"reason": str(error)})
    return CallbackAnswer(status="403 FORBIDDEN")


def _roll_back() -> None:
    try:
        db.session.rollback()
    except SQLAlchemyError as error:
        log.warning("roll back failed", extra={"reason": type(error).__name__})
