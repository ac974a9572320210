"""What residents mean by what they write."""

from district.understanding.service import (
    INTENTS,
    SURE_ENOUGH,
    Intent,
    Understanding,
    language_of,
    things_in,
    understand,
)

__all__ = ["INTENTS", "SURE_ENOUGH", "Intent", "Understanding", "language_of", "things_in", "understand"]
