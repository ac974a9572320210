"""The official account's callback, `/wechat`: checked, opened, answered, always within WeChat's five seconds.

Not authentic, too old or undecryptable: 403. Whatever fails after that: `success`, so that WeChat neither
repeats the message for nothing nor tells the resident that the service is broken; we keep it and try again.
"""

from __future__ import annotations

import logging

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from bot import again, conversation
from bot.protocol.crypto import MAX_BODY_BYTES, BadCallback, Seal
from bot.protocol.inbound import BadMessage, read
from bot.protocol.reply import ACKNOWLEDGED
from district import clock
from district.extensions import db

log = logging.getLogger(__name__)
pages = Blueprint("bot", __name__)


@pages.get("/wechat")
def verify() -> Response:
    """WeChat asks whether this address is ours: the echo goes back as it came."""
    try:
        _seal().check_query(request.args, now=clock.now())
    except BadCallback as error:
        return _refused(error)
    return _plain(request.args.get("echostr", ""))


@pages.post("/wechat")
def receive() -> Response:
    """A resident's message or event."""
    request.max_content_length = MAX_BODY_BYTES
    try:
        xml = _seal().open(request.get_data(cache=False), request.args, now=clock.now())
    except RequestEntityTooLarge:
        return _refused(BadCallback("too large"))
    except BadCallback as error:
        return _refused(error)
    try:
        reply = answer(xml)
        return Response(_seal().close(reply, now=clock.now()), mimetype="text/xml") if reply else _plain(ACKNOWLEDGED)
    except Exception as error:
        log.error("a message was not handled", extra={"reason": type(error).__name__}, exc_info=not _is_outside(error))
        _roll_back()
        again.keep(current_app, xml)
        return _plain(ACKNOWLEDGED)


def answer(xml: str) -> str:
    """The passive reply in plain XML, "" for none. Raises whatever the database raises."""
    try:
        message = read(xml)
    except BadMessage as error:
        log.warning("an unreadable message was acknowledged", extra={"reason": str(error)})
        return ""
    answered = conversation.answer(message)
    log.info("message answered", extra={"kind": message.kind, "event": message.event, "repeated": answered.repeated})
    return answered.reply


def _seal() -> Seal:
    seal: Seal = current_app.extensions["wechat_seal"]
    return seal


def _plain(body: str) -> Response:
    response = Response(body, mimetype="text/plain")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _refused(error: BadCallback) -> Response:
    log.warning("callback refused", extra={"reason": str(error)})
    response = _plain("")
    response.status_code = 403
    return response


def _is_outside(error: Exception) -> bool:
    """A database that is locked or away needs no stack trace, and its error might hold what a resident wrote."""
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError)


def _roll_back() -> None:
    try:
        db.session.rollback()
    except Exception as error:  # noqa: BLE001 - the database is away: there is nothing to roll back
        log.warning("roll back failed", extra={"reason": type(error).__name__})
