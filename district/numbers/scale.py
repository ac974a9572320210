"""A scale for times, so that percentiles can be read from sums of days.

Each step is 4 percent longer than the one before. A percentile read from it is off by less than 2 percent (or is a
minute, where it took less than one): ERROR says so on the page. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

GROWTH = 1.04
FIRST_S = 60
# What a reading can be off by at most, as a share.
ERROR = math.sqrt(GROWTH) - 1
_STEP = math.log(GROWTH)


def bucket_of(seconds: int) -> int:
    """The step that a time belongs to: 0 up to a minute, then b for (60 x 1.04^(b-1), 60 x 1.04^b] seconds."""
    return 0 if seconds <= FIRST_S else max(1, math.ceil(math.log(seconds / FIRST_S) / _STEP - 1e-9))


def seconds_of(bucket: int) -> float:
    """The time that stands for a step: its middle."""
    return float(FIRST_S) if bucket <= 0 else float(FIRST_S * GROWTH ** (bucket - 0.5))


def step_within(amounts: Mapping[int, int], share: float) -> int | None:
    """The first step within which at least `share` (0..1) of all lie; None of nothing."""
    total = sum(amounts.values())
    if total <= 0:
        return None
    seen = 0
    for bucket in sorted(amounts):
        seen += amounts[bucket]
        if seen >= share * total:
            return bucket
    raise AssertionError("unreachable: every amount was looked at")
