"""What residents mean by what they write."""

from district.understanding.service import SURE_ENOUGH, Intent, Understanding, language_of, understand

__all__ = ["SURE_ENOUGH", "Intent", "Understanding", "language_of", "understand"]
