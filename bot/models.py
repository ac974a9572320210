"""What the chat remembers: where each resident is in the conversation, and which messages were answered."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import JsonDict, Moment
from district.extensions import Model


class Conversation(Model):
    """A resident's place in the dialogue. draft: the report being made, see `bot.dialogue.Draft`."""

    __tablename__ = "conversation"
    # Who went away from a question with a report as good as made (`bot.talk.UNFINISHED`): few, and looked for often.
    __table_args__ = (
        Index(
            "ix_conversation_unfinished", "step", "resident_id",
            sqlite_where=text("step in ('choose_parts','choose_similar','danger_place')"),
            postgresql_where=text("step in ('choose_parts','choose_similar','danger_place')"),
        ),
    )  # fmt: skip

    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(String(30))
    draft: Mapped[JsonDict]
    updated_at: Mapped[Moment]


class InboundMessage(Model):
    """A delivery that was answered. key: the same for each delivery of a message, see `bot.protocol`.

    reply: the passive reply in plain XML, empty for none; a repeated delivery gets the same again.
    """

    __tablename__ = "inbound_message"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    received_at: Mapped[Moment] = mapped_column(index=True)
    reply: Mapped[str] = mapped_column(Text, default="")
