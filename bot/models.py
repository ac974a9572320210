"""What the chat remembers, so that this door's tables are known once it is imported."""

from __future__ import annotations

from district.chats.models import Conversation, InboundMessage

__all__ = ["Conversation", "InboundMessage"]
