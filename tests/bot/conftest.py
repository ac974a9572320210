"""For the bot's tests: hypothesis without a stopwatch, because machines differ."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("bihuan", deadline=None)
settings.load_profile("bihuan")
