"""Check district.toml: which settings there are and what each may hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from district.categories.models import LimitUnit, Urgency
from district.loading.files import HOURS, PHONE, TIME, Bounds, Settings
from district.loading.problems import Report, did_you_mean
from district.messages import LANGUAGES, t

FILE = "district.toml"

# What a value must be: gives the name of a word under `loading.expected`, or None when the value is right.
Check = Callable[[Any], str | None]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "text"


def _words(value: Any) -> str | None:
    """A text in both languages."""
    whole = isinstance(value, dict) and set(value) == set(LANGUAGES)
    return None if whole and all(_text(text) is None for text in value.values()) else "words"


def _phone(value: Any) -> str | None:
    return None if isinstance(value, str) and PHONE.fullmatch(value) else "phone"


def _hours(value: Any) -> str | None:
    whole = isinstance(value, str) and all(HOURS.fullmatch(part) for part in value.split(";"))
    return None if whole else "hours"


def _time(value: Any) -> str | None:
    return None if isinstance(value, str) and TIME.fullmatch(value) else "time"


def _whole(least: int) -> Check:
    def check(value: Any) -> str | None:
        return None if isinstance(value, int) and not isinstance(value, bool) and value >= least else "whole"

    return check


def _zone(value: Any) -> str | None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError, TypeError):
        return "zone"
    return None


def _degrees(names: Collection[str]) -> Check:
    def check(value: Any) -> str | None:
        whole = isinstance(value, dict) and set(value) == set(names)
        return None if whole and all(_is_degrees(v) for v in value.values()) else "degrees"

    return check


def _is_degrees(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -180 <= value <= 180


def _by_urgency(value: Any) -> str | None:
    whole = isinstance(value, dict) and set(value) == {urgency.value for urgency in Urgency}
    return None if whole and all(_whole(1)(minutes) is None for minutes in value.values()) else "by_urgency"


def _shares(value: Any) -> str | None:
    """Parts of a time, between 0 and 1, yellow before red."""
    whole = isinstance(value, dict) and set(value) == {"yellow", "red"}
    whole = whole and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value.values())
    return None if whole and 0 < value["yellow"] < value["red"] <= 1 else "shares"


def _escalations(value: Any) -> str | None:
    """Hours after a deadline, the unit's head before the supervision office."""
    whole = isinstance(value, dict) and set(value) == {"head", "supervision"}
    whole = whole and all(_whole(1)(hours) is None for hours in value.values())
    return None if whole and value["head"] <= value["supervision"] else "escalations"


def _part(value: Any) -> str | None:
    """A part of the whole, more than nothing."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    return None if whole else "part"


def _minutes_by_code(value: Any) -> str | None:
    """Minutes for some categories, by their codes."""
    whole = isinstance(value, dict) and all(_whole(1)(minutes) is None for minutes in value.values())
    return None if whole else "minutes_by_code"


def _reasons(value: Any) -> str | None:
    """A list of tables, each a code and its words in both languages."""
    whole = isinstance(value, list) and all(isinstance(row, dict) and set(row) == {"code", "name"} for row in value)
    whole = whole and all(_text(row["code"]) is None and _words(row["name"]) is None for row in value)
    return None if whole and len({row["code"] for row in value}) == len(value) else "reasons"


def _limit(value: Any) -> str | None:
    whole = isinstance(value, dict) and set(value) == {"value", "unit"}
    whole = whole and _whole(1)(value["value"]) is None and value["unit"] in tuple(LimitUnit)
    return None if whole else "limit"


def _weekdays(value: Any) -> str | None:
    whole = isinstance(value, list) and value and all(isinstance(d, int) and 1 <= d <= 7 for d in value)
    return None if whole and len(set(value)) == len(value) else "weekdays"


def _spans(value: Any) -> str | None:
    """Parts of the working day in order, such as [["08:30", "12:00"], ["13:30", "17:30"]]."""
    if not isinstance(value, list) or not value:
        return "spans"
    moments: list[str] = []
    for span in value:
        if not isinstance(span, list) or len(span) != 2 or not all(isinstance(v, str) for v in span):
            return "spans"
        if not HOURS.fullmatch("-".join(span)):
            return "spans"
        moments += span
    return None if moments == sorted(set(moments)) else "spans"


def _texts(value: Any) -> str | None:
    return None if isinstance(value, list) and all(_text(text) is None for text in value) else "texts"


def _yes_or_no(value: Any) -> str | None:
    return None if isinstance(value, bool) else "yes_or_no"


def _hour(value: Any) -> str | None:
    return None if _whole(0)(value) is None and value < 24 else "hour"


# path → (check, required)
SETTINGS: Mapping[str, tuple[Check, bool]] = {
    "district.code": (_text, True),
    "district.name": (_words, True),
    "district.short_name": (_words, True),
    "district.service_name": (_words, True),
    "district.command_centre": (_words, True),
    "district.timezone": (_zone, True),
    "map.centre": (_degrees(("longitude", "latitude")), True),
    "map.zoom": (_whole(1), True),
    "map.bounds": (_degrees(("west", "south", "east", "north")), True),
    "map.note": (_words, False),
    "hours.days": (_weekdays, True),
    "hours.work": (_spans, True),
    "telephones.hotline": (_phone, True),
    "telephones.duty": (_phone, True),
    "telephones.office": (_phone, False),
    "telephones.duty_hours": (_hours, False),
    "notifications.quiet_from": (_time, False),
    "notifications.quiet_to": (_time, False),
    "routing.backstop_unit": (_text, True),
    "routing.border_metres": (_whole(0), False),
    "places.house_number_metres": (_whole(1), False),
    "places.odd_house_numbers": (_texts, False),
    "understanding.placeless": (_texts, False),
    "learning.nightly": (_yes_or_no, False),
    "learning.hour": (_hour, False),
    "limits.reopen_days": (_whole(0), True),
    "limits.rating_days": (_whole(0), False),
    "limits.dispatch_minutes": (_by_urgency, True),
    "limits.accept_minutes": (_by_urgency, False),
    "limits.accept_minutes_by_category": (_minutes_by_code, False),
    "limits.unrouted_minutes": (_whole(1), False),
    "limits.hand_back": (_limit, False),
    "limits.hand_back_rate_least": (_whole(1), False),
    "hand_backs.reasons": (_reasons, False),
    "limits.remind_at": (_shares, False),
    "limits.extensions": (_whole(0), False),
    "limits.verify_metres": (_whole(1), False),
    "limits.escalate_hours": (_escalations, False),
    "limits.suspend_days": (_whole(1), False),
    "limits.calendar_warning_days": (_whole(1), False),
    "limits.reopens_before_escalation": (_whole(1), False),
    "limits.question_days": (_whole(1), False),
    "limits.chat.messages_a_minute": (_whole(1), False),
    "limits.chat.photos_in_ten_minutes": (_whole(1), False),
    "limits.chat.reports_a_day": (_whole(1), False),
    "limits.chat.same_text_minutes": (_whole(0), False),
    "limits.default_handling": (_limit, True),
    "facilities.alternatives": (_texts, False),
    "similar.metres": (_whole(1), False),
    "similar.days": (_whole(1), False),
    "similar.enough": (_part, False),
    "similar.sure_hours": (_whole(0), False),
    "incident.reports": (_whole(0), False),
    "incident.metres": (_whole(1), False),
    "incident.minutes": (_whole(1), False),
    "incident.quiet_hours": (_whole(1), False),
    "incident.own_categories": (_texts, False),
    "devices.flap_minutes": (_whole(0), False),
    "devices.again_minutes": (_whole(0), False),
    "devices.silent_hours": (_whole(1), False),
    "privacy.version": (_whole(1), True),
    "privacy.controller": (_words, True),
    "privacy.address": (_words, False),
    "privacy.contact": (_phone, True),
    "privacy.email": (_text, False),
    "privacy.retention_days.report": (_whole(1), True),
    "privacy.retention_days.contact": (_whole(1), True),
    "privacy.retention_days.conversation": (_whole(1), True),
    "privacy.retention_days.photo_original": (_whole(1), True),
    "privacy.retention_days.log": (_whole(1), True),
    "privacy.retention_days.notice": (_whole(1), False),
    "privacy.retention_days.staff_message": (_whole(1), False),
    "privacy.retention_days.bulk": (_whole(1), False),
    "privacy.retention_days.device_alarm": (_whole(1), False),
    "privacy.retention_days.scan": (_whole(1), False),
    "outside.advice": (_words, True),
    "outside.phone": (_phone, False),
}
EMERGENCY: Mapping[str, tuple[Check, bool]] = {
    "code": (_text, True),
    "phone": (_phone, False),
    "unit": (_text, False),
    "name": (_words, True),
    "words": (_texts, True),
    "words_en": (_texts, False),
    "signs": (_texts, False),
    "say": (_words, False),
    "categories": (_texts, False),
}


def check(
    settings: Settings,
    report: Report,
    *,
    emergency_phones: Mapping[str, str] | None,
    categories: Collection[str] | None,
    facility_types: Collection[str] | None,
) -> None:
    """Note every setting that is missing, unknown or of the wrong kind.

    emergency_phones: each unit's emergency number by its code, "" for none.
    categories, facility_types: the known codes. Each is None when its file could not be read.
    """

    def wrong(path: str, key: str, /, **params: Any) -> None:
        report.add(FILE, settings.line_of(path), path, key, **params)

    def check_table(prefix: str, table: Any, expected: Mapping[str, tuple[Check, bool]]) -> None:
        present = _leaves(table, expected)
        for name, (fault, required) in expected.items():
            if name not in present:
                if required:
                    wrong(f"{prefix}{name}", "missing_setting", setting=f"{prefix}{name}")
            elif expectation := fault(present[name]):
                wrong(f"{prefix}{name}", "wrong_setting", expected=t(f"loading.expected.{expectation}"))
        for name in sorted(set(present) - set(expected)):
            hint = did_you_mean(name, expected)
            wrong(f"{prefix}{name}", "unknown_setting", setting=f"{prefix}{name}", hint=hint)

    def check_unit(path: str, code: Any) -> None:
        if emergency_phones is not None and isinstance(code, str) and code not in emergency_phones:
            hint = did_you_mean(code, emergency_phones)
            wrong(path, "unknown_reference", value=code, where="units.csv", hint=hint)

    tables = dict(settings.tables)
    emergencies = tables.pop("emergency", [])
    check_table("", tables, SETTINGS)
    bounds = bounds_of(settings)
    if bounds is not None:
        centre = settings.tables["map"].get("centre")
        if bounds.west >= bounds.east or bounds.south >= bounds.north:
            wrong("map.bounds", "bounds_empty")
        elif _degrees(("longitude", "latitude"))(centre) is None and not bounds.hold(**centre):
            wrong("map.centre", "position_out_of_bounds", **centre)
    backstop = tables.get("routing")
    if isinstance(backstop, dict):
        check_unit("routing.backstop_unit", backstop.get("backstop_unit"))

    def check_codes(path: str, known: Collection[str] | None, where: str) -> None:
        table, name = path.split(".")
        codes = tables[table].get(name) if isinstance(tables.get(table), dict) else None
        for code in codes if known is not None and isinstance(codes, list) else ():
            if isinstance(code, str) and known is not None and code not in known:
                wrong(path, "unknown_reference", value=code, where=where, hint=did_you_mean(code, known))

    check_codes("understanding.placeless", categories, "categories.csv")
    check_codes("facilities.alternatives", facility_types, "facility_types.csv")

    if not isinstance(emergencies, list) or not all(isinstance(entry, dict) for entry in emergencies):
        wrong("emergency", "wrong_setting", expected=t("loading.expected.tables"))
        return
    seen: set[str] = set()
    for index, entry in enumerate(emergencies):
        prefix = f"emergency.{index}."
        check_table(prefix, entry, EMERGENCY)
        if entry.get("code") in seen:
            wrong(f"{prefix}code", "duplicate", value=entry["code"])
        seen.add(str(entry.get("code")))
        if ("phone" in entry) == ("unit" in entry):
            wrong(f"{prefix}phone", "phone_or_unit")
        elif "unit" in entry:
            check_unit(f"{prefix}unit", entry["unit"])
            if emergency_phones is not None and emergency_phones.get(str(entry["unit"])) == "":
                wrong(f"{prefix}unit", "no_emergency_phone", value=entry["unit"])
        codes = entry.get("categories", [])
        for code in codes if categories is not None and isinstance(codes, list) else ():
            if isinstance(code, str) and categories is not None and code not in categories:
                hint = did_you_mean(code, categories)
                where = "categories.csv"
                wrong(f"{prefix}categories", "unknown_reference", value=code, where=where, hint=hint)


def bounds_of(settings: Settings | None) -> Bounds | None:
    """The district's rectangle, when district.toml states it properly."""
    return bounds_in(settings.tables.get("map") if settings else None)


def bounds_in(table: Any) -> Bounds | None:
    """The same from the settings' table `map`."""
    bounds = table.get("bounds") if isinstance(table, dict) else None
    names = ("west", "south", "east", "north")
    if _degrees(names)(bounds) is not None or not isinstance(bounds, dict):
        return None
    return Bounds(*(float(bounds[name]) for name in names))


def working_days_of(settings: Settings | None) -> frozenset[int]:
    """ISO weekdays that are worked (1 is Monday); Monday to Friday where nothing sensible is said."""
    table = settings.tables.get("hours") if settings else None
    days = table.get("days") if isinstance(table, dict) else None
    return frozenset(days) if isinstance(days, list) and _weekdays(days) is None else frozenset(range(1, 6))


def _leaves(table: Any, expected: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their path, going into a table only where the expected paths do."""
    found: dict[str, Any] = {}
    if not isinstance(table, dict):
        return found
    for name, value in table.items():
        path = f"{prefix}{name}"
        is_table = path not in expected and any(other.startswith(f"{path}.") for other in expected)
        if isinstance(value, dict) and is_table:
            found |= _leaves(value, expected, f"{path}.")
        else:
            found[path] = value
    return found
