"""The table of saved lists."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Key, Moment
from district.extensions import Model
from district.people.models import Staff


class SavedList(Model):
    """A list with its filters. query: of the inbox's address, e.g. `tab=open&urgency=critical`.

    is_shared: everybody is offered it; what each sees in it is their own.
    """

    __tablename__ = "saved_list"

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    query: Mapped[str] = mapped_column(String(1000))
    is_shared: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[Moment]

    staff: Mapped[Staff] = relationship()


class ListColumns(Model):
    """The columns somebody wants their lists to have, where a list says nothing else: names joined by `.`, in order.

    Which names there are: `district.lists.columns`.
    """

    __tablename__ = "list_columns"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    names: Mapped[str] = mapped_column(String(600))
