"""The audit log: every act of staff, in the transaction of the act."""

from __future__ import annotations

from typing import Any

from district import clock
from district.extensions import db
from district.people.models import AuditEntry, Staff


def record(by: Staff | None, action: str, subject: str, **detail: Any) -> None:
    """Write one entry; does not flush. detail must hold no resident's personal data."""
    db.session.add(
        AuditEntry(at=clock.now(), staff_id=by.id if by else None, action=action, subject=subject, detail=detail)
    )
