"""What the chat remembers: where each resident is in the conversation, which messages were answered, and how."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import BigId, Json, JsonDict, Moment
from district.extensions import Model


class Conversation(Model):
    """A resident's place in the dialogue. draft: the report being made, see `bot.talk.Talk`.

    pace: how much this resident has sent lately, see `bot.gate.Pace`; null while nothing of it matters.
    """

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
    pace: Mapped[dict[str, Any] | None] = mapped_column(Json)


class InboundMessage(Model):
    """A delivery that was answered. key: the same for each delivery of a message, see `bot.protocol`.

    reply: the passive reply in plain XML, empty for none; a repeated delivery gets the same again.
    text: what the resident wrote or was heard to say, null where there were no words. media_id: WeChat's name of a
    picture, which its photo's row holds too. report_id: the report it was about, where that is known; no foreign
    key, because the database would then look at that report for every message.
    """

    __tablename__ = "inbound_message"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    received_at: Mapped[Moment]
    reply: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str | None] = mapped_column(Text)
    media_id: Mapped[str | None] = mapped_column(String(300))
    report_id: Mapped[int | None] = mapped_column(BigId)
