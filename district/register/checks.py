"""What is right or wrong with one facility's record, whoever brings it: a row of a file or a form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from district.facilities.models import FACILITY_STATES
from district.geo.datum import bd09_to_wgs84, gcj02_to_wgs84
from district.messages import LANGUAGES, speaking, t
from district.reference import Reference
from district.register.columns import Datum, yes_or_no

_CODE = re.compile(r"\d{16}|\d{17}")
# What a spreadsheet makes of a long code that it takes for a number.
_SHORTENED = re.compile(r"\d([.,]\d+)?[eE]\+\d+|\d{16,17}[.,]0")
_DAY = re.compile(r"(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})\D?(?:\s*00:00(?::00)?)?|(\d{4})(\d{2})(\d{2})")
_PHONE = re.compile(r"\+?[0-9][0-9 \-()]{2,38}")
# An empty cell leaves what is there; this alone takes it away.
CLEAR = "-"
LONGEST = {"name": 200, "address": 500, "emergency_phone": 40, "source": 40}
CLEARED: dict[str, Any] = {
    "address": "", "owner": None, "maintainer": None, "contract_from": None, "contract_to": None,
    "emergency_phone": "", "installed_on": None, "source": "",
}  # fmt: skip
# The column of the table that each field is kept in, where it is another.
COLUMN = {"type": "type_id", "owner": "owner_unit_id", "maintainer": "maintainer_unit_id"}
# Two places nearer than this, in degrees, are the same: some 6 cm, what six decimals and converting may cost.
SAME_PLACE = 6e-7


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field of one row, and what to do: a key under `register.problem` and its words."""

    number: int
    field: str
    key: str
    params: Mapping[str, Any]

    def words(self) -> str:
        said = t(f"register.problem.{self.key}", **self.params)
        return said if not self.field else t("register.problem_in", field=t(f"register.field.{self.field}"), said=said)


class Known:
    """What the district's data give a record to refer to, by code and by name."""

    def __init__(self, ref: Reference) -> None:
        self.ref = ref
        # By lower-case code or name; None where two have the same name.
        self.types: dict[str, int | None] = {}
        for kind in ref.facility_types_by_code.values():
            _enter(self.types, kind.id, kind.name, kind.name_en)
        self.types |= {code.casefold(): kind.id for code, kind in ref.facility_types_by_code.items()}
        self.units: dict[str, int | None] = {}
        open_units = [unit for unit in ref.units_by_code.values() if not unit.is_closed]
        for unit in open_units:
            _enter(self.units, unit.id, unit.name)
        self.units |= {unit.code.casefold(): unit.id for unit in open_units}
        self.states = {state: state for state in FACILITY_STATES}
        for tag in LANGUAGES:
            with speaking(tag):
                self.states |= {t(f"status.facility.{state}").casefold(): state for state in FACILITY_STATES}


def _enter(names: dict[str, int | None], found: int, *words: str) -> None:
    for word in {word.casefold() for word in words if word}:
        names[word] = None if word in names and names[word] != found else found


class Checked:
    """One record being read. values: by the table's columns, of the fields that were given; problems: what is wrong."""

    def __init__(self, number: int, given: Mapping[str, str], known: Known, datum: Datum = Datum.WGS84) -> None:
        self.number, self._given, self._known = number, given, known
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        # Which of the two codes nobody gave: it follows from the other.
        self.derived = ""
        self._read_codes()
        self._read_type()
        self._read_words()
        self._read_place(datum)
        for name in ("owner", "maintainer"):
            self._read_unit(name)
        for name in ("contract_from", "contract_to", "installed_on"):
            self._read_day(name)
        self._read_state()

    def wrong(self, name: str, key: str, **params: Any) -> None:
        self.problems.append(Problem(self.number, name, key, params))

    def _text(self, name: str) -> str:
        """What was given, empty for nothing; a field that is taken away is written down here."""
        text = self._given.get(name, "").strip()
        if text == CLEAR and name in CLEARED:
            self.values[COLUMN.get(name, name)] = CLEARED[name]
            return ""
        return text

    def _read_codes(self) -> None:
        found: dict[str, str] = {}
        code, other = self._text("code"), self._text("code_other")
        if not code:
            self.wrong("code", "code_missing")
            return
        for name, text in (("code", code), ("code_other", other)):
            if not text:
                continue
            if _SHORTENED.fullmatch(text):
                self.wrong(name, "code_shortened", value=text)
            elif not _CODE.fullmatch(text):
                self.wrong(name, "code_wrong", value=text[:40])
            elif str(len(text)) in found:
                self.wrong(name, "code_same_scheme", value=text)
            else:
                found[str(len(text))] = text
        if self.problems:
            return
        self.values["code_scheme"] = str(len(code))
        self.derived = "" if len(found) == 2 else "code17" if "16" in found else "code"
        self.values["code17"] = found.get("17") or other_scheme(found["16"])
        self.values["code"] = found.get("16") or other_scheme(found["17"])

    def _read_type(self) -> None:
        text = self._text("type")
        if text:
            found = self._known.types.get(text.casefold())
            if found is None:
                ambiguous = text.casefold() in self._known.types
                self.wrong("type", "type_ambiguous" if ambiguous else "type_unknown", value=text[:60])
            else:
                self.values["type_id"] = found

    def type_by_code(self) -> int | None:
        """The kind that the code itself names: its seventh to eleventh digit."""
        return self._known.types.get(str(self.values.get("code17", ""))[6:11])

    def _read_words(self) -> None:
        for name, longest in LONGEST.items():
            text = " ".join(self._text(name).split())
            if len(text) > longest:
                self.wrong(name, "too_long", longest=longest, length=len(text))
            elif text and name == "emergency_phone" and not _PHONE.fullmatch(text):
                self.wrong(name, "phone_wrong", value=text)
            elif text:
                self.values[name] = text
        text = self._text("is_smart")
        if text:
            found = yes_or_no(text)
            if found is None:
                self.wrong("is_smart", "yes_or_no", value=text[:20])
            else:
                self.values["is_smart"] = found

    def _read_place(self, datum: Datum) -> None:
        texts = {name: self._text(name) for name in ("longitude", "latitude")}
        given = {name: text for name, text in texts.items() if text}
        if not given:
            return
        numbers: dict[str, float] = {}
        for name, text in texts.items():
            try:
                numbers[name] = float(text)
            except ValueError:
                self.wrong(name, "number_wrong" if text else "place_half", value=text[:40])
        if len(numbers) < 2:
            return
        latitude, longitude = numbers["latitude"], numbers["longitude"]
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            swapped = -90 <= longitude <= 90 and -180 <= latitude <= 180
            self.wrong("longitude", "place_swapped" if swapped else "place_no_degrees")
            return
        self.values["latitude"], self.values["longitude"] = to_wgs84(latitude, longitude, datum)

    def find_area(self, values: dict[str, Any], *, again: bool) -> None:
        """Put the street and the grid into `values`, which are whole. again: even where the place is as it was."""
        if not again:
            return
        latitude, longitude = values["latitude"], values["longitude"]
        located = self._known.ref.locator.locate(latitude, longitude)
        if not located.in_district:
            locator = self._known.ref.locator
            if -90 <= longitude <= 90 and locator.locate(longitude, latitude).in_district:
                self.wrong("longitude", "place_swapped")
            else:
                self.wrong("longitude", "place_outside", latitude=f"{latitude:.5f}", longitude=f"{longitude:.5f}")
            return
        values["area_code"], values["grid_code"] = located.area_code, located.grid_code

    def _read_unit(self, name: str) -> None:
        text = self._text(name)
        if text:
            found = self._known.units.get(text.casefold())
            if found is None:
                ambiguous = text.casefold() in self._known.units
                self.wrong(name, "unit_ambiguous" if ambiguous else "unit_unknown", value=text[:60])
            else:
                self.values[COLUMN[name]] = found

    def _read_day(self, name: str) -> None:
        text = self._text(name)
        if text:
            found = day_of(text)
            if found is None:
                self.wrong(name, "day_wrong", value=text[:30])
            else:
                self.values[name] = found

    def _read_state(self) -> None:
        text = self._text("state")
        if text:
            found = self._known.states.get(text.casefold())
            if found is None:
                words = "、".join(t(f"status.facility.{state}") for state in FACILITY_STATES)
                self.wrong("state", "state_unknown", value=text[:30], known=words)
            else:
                self.values["state"] = found

    def check_whole(self, values: Mapping[str, Any]) -> None:
        """What only the whole record shows, with what was there before."""
        since, until = values.get("contract_from"), values.get("contract_to")
        if since is not None and until is not None and since > until:
            self.wrong("contract_to", "contract_order")


def other_scheme(code: str) -> str:
    """The same facility's code in the other scheme: the older one has a digit less for the subtype.

    A subtype that needs all three digits has no code of 16: then the 17 are given back.
    """
    if len(code) == 16:
        return f"{code[:8]}0{code[8:]}"
    return code[:8] + code[9:] if code[8] == "0" else code


def day_of(text: str) -> date | None:
    """A day written with any marks between year, month and day, or without any."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    year, month, day = found.groups()[:3] if found[1] else found.groups()[3:]
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def to_wgs84(latitude: float, longitude: float, datum: Datum) -> tuple[float, float]:
    """(latitude, longitude) in WGS-84, converted ones to the centimetre."""
    if datum is Datum.WGS84:
        return latitude, longitude
    convert = gcj02_to_wgs84 if datum is Datum.GCJ02 else bd09_to_wgs84
    north, east = convert(latitude, longitude)
    return round(north, 7), round(east, 7)


def is_same_place(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(abs(one[name] - other[name]) <= SAME_PLACE for name in ("latitude", "longitude"))
