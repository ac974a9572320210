"""What the dialogue may ask, answered from the district: places, facilities, one's own reports. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app

from bot import cards, parts
from bot.talk import Danger, FacilityCard, Place, PlaceFrom, Reading, ReportCard, SimilarCard, Talk
from bot.words import Words, words
from district import links
from district.categories.models import Urgency
from district.errors import NotFound
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.geo import gazetteer
from district.geo.datum import gcj02_to_wgs84
from district.messages import ENGLISH, language, t
from district.reference import Reference, reference
from district.reports import glimpses, numbers, queries, similar
from district.reports.states import BY_ACTION, ENDED, PLAIN, WITH_UNIT, Action, Status
from district.staff_wechat import service as staff_wechat
from district.understanding import Understanding, things_in, understand
from district.wechat.text import shorten

EXCERPT = 18
# A Chinese character is nine bytes in an address, and a reply has 2048 in all.
LONGEST_IN_LINK = 40
MY_REPORTS = 5
# Of single problems told in three clauses or more, one in nine is asked about at this, one in five at 0.7.
SURE_OF_A_PIECE = 0.9
PIECES_INTENTS = ("report", "emergency")
DEFAULT_RATING_DAYS = 15
_FACILITY_PATH = re.compile(r"/f/([0-9a-z]{6,20})(?:[/?#]|$)", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9a-z]{8,20}", re.IGNORECASE)
_SCENE = re.compile(r"(?:qrscene_)?(?:fac:|f:|f/)?([0-9a-z]{6,20})", re.IGNORECASE)


class DistrictWorld:
    """The world of one resident and one message."""

    def __init__(self, resident_id: int, now: datetime) -> None:
        self._resident_id = resident_id
        self._now = now
        self._ref: Reference | None = None
        # What this message's codes came to, for whoever counts: see `district.facilities.scans`.
        self.tries_codes = True
        self.was_held_back = False
        self.wrong_codes: set[str] = set()
        self.opened: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        return self._now

    @property
    def words(self) -> Words:
        return words()

    @property
    def ref(self) -> Reference:
        if self._ref is None:
            self._ref = reference()
        return self._ref

    # Words

    def read(self, text: str) -> Reading:
        """Places by the gazetteer, dangers by the district's own words, numbers and codes by their shape."""
        found = self.ref.gazetteer.find(text)
        # Said that the place is known, so that nobody looks for it twice.
        understood = understand(text, self.ref, has_place=True)
        places: tuple[Place, ...] = ()
        near = ""
        if found.place is not None:
            places = (_named(found.place),)
        else:
            exact = [point for point in found.candidates if point.kind not in gazetteer.LARGE]
            places = tuple(_named(point) for point in exact)
            near = next((point.name for point in found.candidates if point.kind in gazetteer.LARGE), "")
        code = self.words.facility_in(text)
        return Reading(
            places=places,
            is_only_place=bool(places) and self._is_only_place(text, found.place or found.candidates[0]),
            dangers=self._dangers(text, understood),
            number=numbers.read(text),
            facility=self.facility(code) if code else None,
            near=near,
            category=understood.category,
            intent=understood.intent,
        )

    def parts(self, text: str) -> Sequence[str]:
        """The problems a message tells of, in its own words; the message alone when it tells of one."""
        if not parts.may_hold_several(text, lambda clause: things_in(clause, self.ref)):
            return (text,)
        return parts.split(text, self._category_of_piece)

    def _category_of_piece(self, piece: str) -> str | None:
        """What a part of a message is about, where that is beyond doubt: each needless question costs a message."""
        understood = understand(piece, self.ref, has_place=True)
        if not understood.candidates or understood.intent not in PIECES_INTENTS:
            return None
        code, confidence = understood.candidates[0]
        # A cover that is gone is a trap whichever of the many covers it is: nobody is asked about a danger.
        is_trap = understood.danger is not None and bool(things_in(piece, self.ref))
        return code if confidence >= SURE_OF_A_PIECE or is_trap else None

    def _is_only_place(self, text: str, point: gazetteer.NamedPoint) -> bool:
        """Whether hardly anything is left of the text without the place's name."""
        rest = gazetteer.plain(text)
        for name in sorted((point.name, *point.aliases), key=len, reverse=True):
            rest = rest.replace(gazetteer.plain(name), " ")
        return len(self.words.without_fillers(rest)) <= 1

    def _dangers(self, text: str, understood: Understanding) -> tuple[Danger, ...]:
        """Whom to call at once, when it cannot wait: by what was understood, then by the words in the text.

        Each number once, at most two; where the district names nobody for it, whoever is on duty.
        """
        if understood.urgency is not Urgency.CRITICAL:
            return ()
        folded = gazetteer.plain(text)
        rows = self.ref.once("bot.dangers", _danger_rows)
        found: dict[str, Danger] = {}
        for row in sorted(rows, key=lambda row: row.code != understood.danger):
            if row.code == understood.danger or any(word in folded for word in row.words):
                found.setdefault(row.phone, Danger(_spoken(row.names), row.phone, _spoken(row.says)))
        if not found:
            phone = str(self.ref.setting("telephones.duty", "") or hotline())
            return (Danger(name=t("bot.danger.duty"), phone=phone),)
        return tuple(found.values())[:2]

    # Things

    def facility(self, scanned: str) -> FacilityCard | None:
        """The facility behind a scanned address, a scene, a token or a code; None for anything else."""
        text = scanned.strip()
        path = _FACILITY_PATH.search(text)
        scene = _SCENE.fullmatch(text)
        key = path.group(1) if path else scene.group(1) if scene else text
        if not (key.isdecimal() and len(key) in (16, 17)) and not _TOKEN.fullmatch(key):
            return None
        if not self.tries_codes:
            # Right or wrong, the answer is the same: it would be the very thing that is guessed.
            self.was_held_back = True
            return None
        try:
            facility = facilities.by_token_or_code(key)
        except NotFound:
            self.wrong_codes.add(key.upper())
            return None
        if (row := codes.of(key)) is not None:
            self.opened[row.token] = facility.id
        return self._facility_card(facility)

    def _facility_card(self, facility: Facility) -> FacilityCard:
        kind = self.ref.facility_types_by_id.get(facility.type_id)
        present = queries.open_at_facility(facility.id, limit=1)
        name = (kind.name_en.replace("_", " ") if language() == ENGLISH else kind.name) if kind else facility.name
        return FacilityCard(
            id=facility.id,
            code=facility.code17,
            name=facility.name,
            kind=name,
            address=facility.address,
            problems=kind.problems if kind else (),
            category=kind.default_category_code
            if kind and kind.default_category_code in self.ref.categories_by_code
            else "",
            open_number=present[0].number if present else None,
            open_id=present[0].id if present else None,
            latitude=facility.latitude,
            longitude=facility.longitude,
            open_is_mine=bool(present) and present[0].resident_id == self._resident_id,
        )

    def place(self, latitude: float, longitude: float, label: str) -> Place | None:
        """A location message's place (GCJ-02 in), or None when it is outside the district."""
        north, east = gcj02_to_wgs84(latitude, longitude)
        if not self.ref.locator.locate(north, east).in_district:
            return None
        return Place(round(north, 6), round(east, 6), shorten(label, 100), PlaceFrom.SHARED)

    def category_name(self, code: str) -> str:
        """A category's name in the language now spoken, "" for an unknown code."""
        category = self.ref.categories_by_code.get(code)
        if category is None:
            return ""
        return category.name_en.replace("_", " ") if language() == ENGLISH and category.name_en else category.name

    def sentence(self, key: str, **params: Any) -> str:
        return t(key, **params)

    def staff_with_code(self, code: str) -> str | None:
        """The name of the member of staff who was given this code; None when nobody was."""
        staff = staff_wechat.holder(code)
        return staff.name if staff is not None else None

    def form_link(self, talk: Talk) -> str:
        """The form on the page with what this draft has; photos stay in the chat."""
        place = talk.place or {}
        latitude, longitude = place.get("latitude"), place.get("longitude")
        is_point = latitude is not None and longitude is not None
        return links.report_form(
            description=shorten("\n".join(talk.words), LONGEST_IN_LINK),
            facility=str((talk.facility or {}).get("code", "")),
            latitude=str(latitude) if is_point else "",
            longitude=str(longitude) if is_point else "",
            place_source="shared" if is_point and place.get("source") == PlaceFrom.SHARED else "",
            address=shorten(str(place.get("address", "")), LONGEST_IN_LINK),
        )

    # Reports

    def similar(self, talk: Talk) -> Sequence[SimilarCard]:
        """Open reports that may be about what this draft is about. One query; none without a point."""
        place = talk.facility or talk.place or {}
        category = self.ref.categories_by_code.get(talk.category or "")
        thing = similar.Thing(
            words="\n".join(talk.words),
            category_id=category.id if category else None,
            facility_id=(talk.facility or {}).get("id"),
            latitude=place.get("latitude"),
            longitude=place.get("longitude"),
        )
        cards = []
        found = similar.find(thing, self.ref, now=self._now)
        pictured = queries.with_photos([one.id for one in found]) if found else set()
        for one in found:
            known = self.ref.categories_by_id.get(one.category_id) if one.category_id else category
            name = self.category_name(known.code) if known else ""
            cards.append(
                SimilarCard(
                    id=one.id,
                    number=one.number,
                    what=name or t("bot.similar.something"),
                    metres=one.metres,
                    status=self._plain_status(Status(one.status), one.unit_id),
                    link=glimpses.address(one.number),
                    has_photo=one.id in pictured,
                    is_mine=one.resident_id == self._resident_id,
                )
            )
        return cards

    def _plain_status(self, status: Status, unit_id: int | None) -> str:
        unit = self.ref.units_by_id.get(unit_id) if unit_id else None
        if status == Status.WITHDRAWN:
            return t("status.event.withdrawn")
        return t(f"status.plain.{PLAIN[status]}", unit=unit.name if unit else "")

    def report(self, number: str) -> ReportCard | None:
        row = cards.by_number(number)
        return self._report_card(row) if row is not None else None

    def my_reports(self) -> Sequence[ReportCard]:
        return [self._report_card(row) for row in cards.of_resident(self._resident_id, limit=MY_REPORTS)]

    def to_rate(self) -> ReportCard | None:
        """The report closed last, within the days for answering: unrated ones first."""
        days = int(self.ref.setting("limits.rating_days", DEFAULT_RATING_DAYS))
        rows = cards.closed_lately(self._resident_id, now=self._now, days=days)
        unrated = [row for row in rows if not row.is_rated]
        chosen = next(iter(unrated or rows), None)
        return self._report_card(chosen) if chosen is not None else None

    def _report_card(self, row: cards.Row) -> ReportCard:
        """`merged` shows the status of the report it joined."""
        own, status = Status(row.status), Status(row.shown_status)
        unit = self.ref.units_by_id.get(row.shown_unit_id) if row.shown_unit_id else None
        mine = row.resident_id == self._resident_id
        category = self.ref.categories_by_id.get(row.category_id) if row.category_id else None
        due_at = row.due_at if status in WITH_UNIT and not row.is_handed_back else None
        return ReportCard(
            id=row.id,
            number=row.number,
            status=self._plain_status(status, row.shown_unit_id),
            words=shorten(row.description, EXCERPT).replace("<", "＜") if mine else "",
            link=links.report_page(row.number, row.access_key if mine else None),
            category=category.code if category else None,
            is_mine=mine,
            is_closed=own is Status.CLOSED,
            is_ended=status in ENDED - {Status.CLOSED} or (row.parent_id is not None and status is Status.CLOSED),
            is_rated=bool(row.is_rated),
            can_withdraw=mine and own in BY_ACTION[Action.WITHDRAW].sources,
            can_correct=mine and own in BY_ACTION[Action.CORRECT].sources,
            note=shorten(row.shown_resolution, 60) if mine and row.shown_resolution else "",
            unit=unit.name if unit else "",
            due=day_and_hour(due_at),
            is_overdue=due_at is not None and due_at < self._now and not row.is_paused,
            reopened=row.reopen_count if mine else 0,
        )


def _named(point: gazetteer.NamedPoint) -> Place:
    return Place(point.latitude, point.longitude, point.name, PlaceFrom.GAZETTEER)


@dataclass(frozen=True)
class _DangerRow:
    """A kind of emergency: its words as `gazetteer.plain` writes them, its name by language, whom to call."""

    code: str
    words: tuple[str, ...]
    names: dict[str, str]
    phone: str
    says: dict[str, str]


def _danger_rows(ref: Reference) -> list[_DangerRow]:
    """The district's kinds of emergency, in its own order."""
    rows = []
    entries: Any = ref.settings.get("emergency") or []
    for entry in entries:
        unit = ref.units_by_code.get(entry.get("unit", ""))
        phone = entry.get("phone") or (unit.emergency_phone if unit else "")
        said = tuple(gazetteer.plain(word) for word in [*entry.get("words", []), *entry.get("words_en", [])])
        if phone:
            names, says = dict(entry.get("name", {})), dict(entry.get("say", {}))
            rows.append(_DangerRow(str(entry.get("code", "")), said, names, phone, says))
    return rows


def _spoken(texts: Mapping[str, str]) -> str:
    """The text in the language now spoken, else in the first there is; "" for none."""
    return texts.get(language()) or next(iter(texts.values()), "")


def day_and_hour(moment: datetime | None) -> str:
    """A deadline as residents read it, in the district's zone: `11-24 17:30`."""
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return f"{local:%m-%d %H:%M}"


def hotline() -> str:
    """The number for everything that cannot wait for the chat."""
    return str(reference().setting("telephones.hotline", "12345"))


def service_name() -> str:
    """What the district calls this service."""
    names = reference().setting("district.service_name", {})
    return str(names.get(language()) or names.get("zh-Hans") or t("common.brand.name"))


def outside_advice() -> str:
    """Where to turn to with a place that is not ours."""
    advice = reference().setting("outside.advice", {})
    return str(advice.get(language()) or advice.get("zh-Hans") or "")
