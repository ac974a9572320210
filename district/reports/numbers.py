"""Report numbers that a resident can read out on the telephone: `BH20261122-0042K`.

`BH`, the day in the district's zone, `-`, a count of four or more digits, and a check letter of base 31
(without easily confused letters) over day and count. Counts whose check is a digit are left out, so that the
last character is always a letter and nobody hears it as one more digit of the count.
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from datetime import datetime

from flask import current_app

from district import clock, rows

CHECK_LETTERS = "0123456789ABCDEFGHJKMNPQRTUVWXY"
_GAP = r"\s*[-\u2010-\u2015\u2212]{0,2}\s*"
_SHAPE = re.compile(rf"BH{_GAP}(\d{{8}}){_GAP}(\d{{4,9}}){_GAP}([A-Z])(?![0-9A-Z])", re.IGNORECASE | re.ASCII)
_KEY_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_MANY = len(_KEY_LETTERS)


def check_letter(digits: str) -> str:
    """The letter that catches any single wrong digit and any two swapped neighbours (weights modulo the prime 31)."""
    total = sum((index + 2) * int(digit) for index, digit in enumerate(reversed(digits)))
    return CHECK_LETTERS[total % 31]


def spell(day: str, count: int) -> str:
    """The number of the `count`-th report of `day` (`YYYYMMDD`)."""
    digits = f"{count:04d}"
    return f"BH{day}-{digits}{check_letter(day + digits)}"


def read(words: str) -> str | None:
    """The first well-formed report number in `words`, in its proper spelling; None when there is none."""
    # A Chinese keyboard writes full-width letters and digits, and a long dash.
    for day, digits, letter in _SHAPE.findall(unicodedata.normalize("NFKC", words)):
        if check_letter(day + digits) == letter.upper():
            return f"BH{day}-{digits}{letter.upper()}"
    return None


def take(moment: datetime) -> str:
    """The next number of this day, counted in the database: no two alike, none lost to a crash but its own."""
    day = clock.local_day(moment, current_app.config["DISTRICT_TIMEZONE"]).strftime("%Y%m%d")
    ((position,),) = rows.send(_NEXT, (day,))
    return spell(day, _nth_count(day, int(position)))


_usable: dict[str, list[int]] = {}
_usable_lock = threading.Lock()


def _nth_count(day: str, position: int) -> int:
    """The `position`-th count (from 1) of this day whose check is a letter. The same in every process."""
    # Two threads that lengthened the list together would give one number twice.
    with _usable_lock:
        usable = _usable.get(day)
        if usable is None:
            _usable.clear()
            usable = _usable[day] = []
        candidate = usable[-1] + 1 if usable else 1
        while len(usable) < position:
            if check_letter(f"{day}{candidate:04d}").isalpha():
                usable.append(candidate)
            candidate += 1
        return usable[position - 1]


# For the driver's own cursor: every message that files a report takes a number.
_NEXT = (
    "insert into daily_count (day, given) values (?, 1) "
    "on conflict (day) do update set given = daily_count.given + 1 returning given"
)


def new_key(length: int = 16) -> str:
    """An unguessable key of easily read letters (31^16: about 79 bits)."""
    number, letters = secrets.randbelow(_MANY**length), []
    for _ in range(length):
        number, letter = divmod(number, _MANY)
        letters.append(_KEY_LETTERS[letter])
    return "".join(letters)
