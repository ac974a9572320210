"""The official account's callback, `/wechat`: checked, opened, answered, always within WeChat's five seconds.

Not authentic, too old or undecryptable: 403. Whatever fails after that: `success`, so that WeChat neither
repeats the message for nothing nor tells the resident that the service is broken; we keep it and try again.

The callback stands before the frame that pages have (language, forms, limits, compression, security headers):
WeChat's server needs none of it, and it would cost as much as handling the message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

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
                response = receive(request, self._seal)
            elif request.method in ("GET", "HEAD"):
                response = verify(request, self._seal)
            else:
                response = Response(status=405, headers={"Allow": "GET, HEAD, POST"})
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response(environ, start_response)


def verify(request: Request, seal: Seal) -> Response:
    """WeChat asks whether this address is ours: the echo goes back as it came."""
    try:
        seal.check_query(request.args, now=clock.now())
    except BadCallback as error:
        return _refused(error)
    return Response(request.args.get("echostr", ""), mimetype="text/plain")


def receive(request: Request, seal: Seal) -> Response:
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
            return Response(seal.close(reply, now=clock.now()), mimetype="text/xml")
    except Exception as error:
        # A database's error may hold what a resident wrote, and needs no stack trace: it is locked or away.
        outside = isinstance(error, SQLAlchemyError | db.engine.dialect.loaded_dbapi.Error)
        log.error("a message was not handled", extra={"reason": type(error).__name__}, exc_info=not outside)
        _roll_back()
        again.keep(current_app, xml)
    return Response(ACKNOWLEDGED, mimetype="text/plain")


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


def _refused(error: BadCallback) -> Response:
    log.warning("callback refused", extra={"reason": str(error)})
    return Response("", status=403, mimetype="text/plain")


def _roll_back() -> None:
    try:
        db.session.rollback()
    except SQLAlchemyError as error:
        log.warning("roll back failed", extra={"reason": type(error).__name__})
