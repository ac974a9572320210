"""The table of acts on many reports."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import JsonDict, Moment
from district.extensions import Model


class BulkRun(Model):
    """One sent form. token: made with the form, so that a form that is sent twice acts once.

    results: by a report's number, e.g. `{"BH20261122-0042K": {"key": "", "params": {}}}`; an empty key is done,
    any other names the sentence that says why not. A number that is missing was not come to.
    """

    __tablename__ = "bulk_run"

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    action: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[Moment] = mapped_column(index=True)
    results: Mapped[JsonDict]
