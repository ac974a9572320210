"""Events that nobody is answered for: consents to notices, what became of sent messages, leaving, privacy.

Each is one unit of work of its own, and handling it twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.models import Conversation, InboundMessage
from bot.protocol.inbound import Inbound
from district import clock
from district.notifications import service as notifications
from district.people import leaving
from district.people import service as people
from district.people.models import Resident
from district.reports.models import Photo
from district.work import unit_of_work

log = logging.getLogger(__name__)

# WeChat waits five seconds; a locked database must not use them all up.
PATIENCE_S = 2.5
ACCEPTED, DELIVERED = "accept", "success"
POPUP = "subscribe_msg_popup_event"


def concern(message: Inbound) -> bool:
    """True for the events that `note` handles."""
    return message.kind == "event" and message.event in _HANDLERS


def note(message: Inbound) -> None:
    """Write down what the event says. Raises whatever the database raises: the caller keeps it and tries again."""
    event = message.event or ""
    with unit_of_work(patience_s=PATIENCE_S) as session:
        if event == POPUP:
            # Also somebody who does not follow the account can agree to notices.
            people.know_resident(message.openid)
        resident = _resident(session, message)
        if resident is None or (event in _ONCE and session.get(InboundMessage, message.key) is not None):
            return
        _HANDLERS[event](session, resident, message)
        if event in _ONCE:
            seen = {"key": message.key, "resident_id": resident.id, "kind": f"event:{event}"[:40]}
            session.add(InboundMessage(**seen, received_at=clock.now()))


def _popped_up(session: Session, resident: Resident, message: Inbound) -> None:
    """Asked on a page or in an article whether they want notices: each acceptance is good for one."""
    for answer in message.answers:
        if answer.status == ACCEPTED:
            notifications.consented(resident.id, answer.template_id)


def _changed(session: Session, resident: Resident, message: Inbound) -> None:
    """Switched off in WeChat's own settings. Switching on again is no consent to a one-time notice."""
    for answer in message.answers:
        if answer.status and answer.status != ACCEPTED:
            notifications.refused(resident.id, answer.template_id)


def _notice_sent(session: Session, resident: Resident, message: Inbound) -> None:
    """What became of a subscription notice."""
    for answer in message.answers:
        failed = answer.error not in ("", "0") or answer.status not in ("", DELIVERED)
        if failed and answer.message_id:
            reason = f"{answer.error}: {answer.status}".strip(": ")
            notifications.delivery_failed(message.openid, answer.message_id, reason or "failed")


def _template_sent(session: Session, resident: Resident, message: Inbound) -> None:
    """What became of a template message. WeChat's words: `success`, `failed:user block`, `failed: system failed`."""
    status = (message.status or "").strip()
    if message.message_id and status and status.lower() != DELIVERED:
        notifications.delivery_failed(message.openid, message.message_id, status)


def _left(session: Session, resident: Resident, message: Inbound) -> None:
    """Nobody who left is known by name, and nothing is kept of them but the cases and what belongs to those."""
    mine = resident.id
    session.execute(delete(Photo).where(Photo.resident_id == mine, Photo.report_id.is_(None)))
    session.execute(delete(Conversation).where(Conversation.resident_id == mine))
    session.execute(delete(InboundMessage).where(InboundMessage.resident_id == mine))
    notifications.forget_ways(mine)
    leaving.leave(resident)
    log.info("a resident left the account", extra={"resident": mine})


def _revoked(session: Session, resident: Resident, message: Inbound) -> None:
    """They took back what they allowed our pages."""
    leaving.end_web_logins(resident)


def _resident(session: Session, message: Inbound) -> Resident | None:
    """Whom the event is about, locked; None for somebody we do not know."""
    openid = message.about_openid or message.openid
    return session.scalar(
        select(Resident).where(Resident.openid == openid).with_for_update().execution_options(populate_existing=True)
    )


_HANDLERS: dict[str, Callable[[Session, Resident, Inbound], None]] = {
    POPUP: _popped_up,
    "subscribe_msg_change_event": _changed,
    "subscribe_msg_sent_event": _notice_sent,
    "templatesendjobfinish": _template_sent,
    "unsubscribe": _left,
    "user_authorization_revoke": _revoked,
    "user_authorization_cancellation": _left,
}
# A repeat of these would change something again: counted once more, or undone what came after.
_ONCE = frozenset({POPUP, "unsubscribe", "user_authorization_revoke", "user_authorization_cancellation"})
