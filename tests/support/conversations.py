"""Written conversations: read a script of `tests/journeys/conversations/` and play it against the application.

Each message goes through `/wechat` signed and encrypted; the clock stands still but for `later`; the worker's jobs run
when the script says so. The format is in that folder's README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from district import clock, jobs
from district.errors import DistrictError
from district.extensions import db
from district.facilities import service as facilities
from district.geo.datum import wgs84_to_gcj02
from district.notifications import service as notifications
from district.people.models import Resident, Staff
from district.people.roles import Role
from district.reference import reference
from district.reports import questions
from district.reports import service as reports
from district.reports.models import Photo, Report, ReportEvent, ReportFollower
from district.work import unit_of_work
from tests.support.wechat_platform import Answer, Phone

FOLDER = Path(__file__).resolve().parents[1] / "journeys" / "conversations"
# A Monday morning in the district, in working time.
BEGIN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MOST_BYTES = 2048
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
CHECKS = frozenset({"must", "not", "silent", "told", "untold", "by", "reports", "report", "history", "following"})


@dataclass(frozen=True)
class Line:
    """One line of a script. who: a resident, `staff`, or "" for what is checked and what happens by itself."""

    number: int
    who: str
    verb: str
    rest: str


@dataclass(frozen=True)
class Script:
    name: str
    title: str
    lines: tuple[Line, ...]


def scripts() -> list[Script]:
    return [read(path) for path in sorted(FOLDER.glob("*.txt"))]


def read(path: Path) -> Script:
    """Raises ValueError naming the line that nobody can read."""
    lines: list[Line] = []
    title = ""
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            title = title or line.lstrip("# ")
            continue
        if not line:
            continue
        said = re.fullmatch(r"(\S+) > (\S+)\s*(.*)", line)
        if said:
            lines.append(Line(number, said[1], said[2], said[3]))
            continue
        verb, _, rest = line.partition(" ")
        if verb not in CHECKS | {"later", "jobs", "sweep"}:
            raise ValueError(f"{path.name}:{number} cannot be read: {line}")
        lines.append(Line(number, "", verb, rest.strip()))
    return Script(path.stem, title, tuple(lines))


@dataclass
class Play:
    """One script being played. make_phone: a new resident's phone. talk: what was said, for whoever reads a failure."""

    script: Script
    make_phone: Callable[[], Phone]
    now: datetime = BEGIN
    phones: dict[str, Phone] = field(default_factory=dict)
    answer: Answer = field(default_factory=Answer)
    latest: str = ""
    numbers: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    pictures: int = 0
    longest: int = 0
    talk: list[str] = field(default_factory=list)

    def all(self) -> None:
        for line in self.script.lines:
            with clock.frozen_at(self.now), self._explained(line):
                self._one(line)

    @contextmanager
    def _explained(self, line: Line) -> Iterator[None]:
        try:
            yield
        except (AssertionError, DistrictError) as error:
            said = "\n".join(self.talk[-14:])
            raise AssertionError(f"{self.script.name}.txt:{line.number}: {error or line}\n\n{said}") from error

    def _one(self, line: Line) -> None:
        rest = self._filled(line.rest)
        if line.who == "staff":
            self._staff(line.verb, rest)
        elif line.who:
            self._sends(line.who, line.verb, rest)
        elif line.verb in CHECKS:
            getattr(self, f"_check_{line.verb}")(rest)
        elif line.verb == "later":
            number, unit = rest.split()
            self.now += timedelta(seconds=float(number) * UNITS[unit])
            self.talk.append(f"        ({rest} later)")
        elif line.verb == "jobs":
            self._jobs()
        elif line.verb == "sweep":
            from bot import conversation

            conversation.finish_unanswered()
            self._learn_numbers()

    def _filled(self, words: str) -> str:
        """`{number}` is the newest report's number, `{number1}` the first one's."""
        for index, number in enumerate(self.numbers, 1):
            words = words.replace(f"{{number{index}}}", number)
        return words.replace("{number}", self.numbers[-1]) if self.numbers else words

    # Residents

    def _sends(self, who: str, verb: str, rest: str) -> None:
        phone = self.phones.setdefault(who, self.make_phone())
        self.latest = who
        self.talk.append(f"{who}: [{verb}] {rest}")
        send: dict[str, Callable[[], Answer]] = {
            "says": lambda: phone.says(rest.replace("\\n", "\n")),
            "speaks": lambda: phone.deliver(
                phone.message("voice", MediaId="V", Format="amr", **({"Recognition": rest} if rest else {}))
            ),
            "shows": lambda: phone.shows(self._picture()),
            "films": lambda: phone.deliver(phone.message("video", MediaId="F", ThumbMediaId=self._picture())),
            "is-at": lambda: self._is_at(phone, rest),
            "picks": lambda: self._picks(phone, rest),
            "forwards": lambda: phone.deliver(phone.message("link", Title="位置", Description="", Url=rest)),
            "scans": lambda: self._scans(phone, rest),
            "taps": lambda: phone.does("CLICK", rest),
            "follows": lambda: phone.does("subscribe"),
            "sends": lambda: phone.deliver(phone.message(rest)),
        }
        self.answer = send[verb]()
        self.longest = max(self.longest, len(self.answer.text.encode()))
        self.talk.append("   bot: " + self.answer.text.replace("\n", "\n        "))
        assert not self.answer.problems, self.answer.problems
        assert len(self.answer.text.encode()) <= MOST_BYTES
        self._learn_numbers()

    def _picture(self) -> str:
        self.pictures += 1
        return f"{self.script.name}-{self.pictures}"

    def _is_at(self, phone: Phone, name: str) -> Answer:
        """A place of the map by its name, with an optional label after a bar."""
        name, _, label = name.partition("|")
        place = reference().gazetteer.find(name.strip()).place
        assert place is not None, f"the map has no one place called {name}"
        return phone.is_at(*wgs84_to_gcj02(place.latitude, place.longitude), label=label.strip())

    def _picks(self, phone: Phone, name: str) -> Answer:
        """The event of a menu's place button, without the message that should follow."""
        place = reference().gazetteer.find(name.strip()).place
        assert place is not None, f"the map has no one place called {name}"
        latitude, longitude = wgs84_to_gcj02(place.latitude, place.longitude)
        chosen = {"Location_X": latitude, "Location_Y": longitude, "Scale": 16, "Label": name, "Poiname": ""}
        return phone.does("location_select", "PLACE", SendLocationInfo=chosen)

    def _scans(self, phone: Phone, code: str) -> Answer:
        token = facilities.token_of(facilities.by_token_or_code(code).id)
        return phone.does(
            "scancode_waitmsg", "SCAN", ScanCodeInfo={"ScanType": "qrcode", "ScanResult": f"http://h/f/{token}"}
        )

    def _learn_numbers(self) -> None:
        db.session.rollback()
        self.numbers = list(db.session.scalars(select(Report.number).order_by(Report.id)))

    # The district

    def _jobs(self) -> None:
        """Everything a worker would do by now: routing, then what goes out, by the channel there is."""
        jobs.route_reports()
        with unit_of_work():
            while outgoing := notifications.claim_due(50):
                for one in outgoing:
                    notifications.sent(one.id)
                    who = next((name for name, phone in self.phones.items() if phone.openid == one.openid), "")
                    self.told.setdefault(who, []).append(one.text)
                    self.channels[who] = one.channel
                    self.talk.append(f"   bot → {who} ({one.channel}): " + one.text.replace("\n", "\n        "))
        db.session.rollback()

    def _staff(self, verb: str, rest: str) -> None:
        """The newest report, or the one whose number begins the line."""
        number, words = self.numbers[-1], rest
        if rest.startswith("BH"):
            number, _, words = rest.partition(" ")
        with unit_of_work():
            report = reports.lock(reports.find(number).id)
            if verb == "assigns":
                reports.assign(report, reference().units_by_code[words].id, by=self._person(Role.DISPATCHER))
            elif verb == "accepts":
                reports.accept(report, by=self._person(Role.HANDLER, report.unit_id))
            elif verb == "resolves":
                reports.resolve(report, by=self._person(Role.HANDLER, report.unit_id), note=words)
            elif verb == "verifies":
                reports.verify(report, by=self._person(Role.VERIFIER))
            elif verb == "asks":
                questions.ask(report, by=self._person(Role.HANDLER, report.unit_id), text=words)
            elif verb == "rejects":
                reports.reject(report, by=self._person(Role.DISPATCHER), reason=words)
            else:
                raise AssertionError(f"staff cannot do {verb}")
        self.talk.append(f"        (staff {verb} {number})")
        self._jobs()

    def _person(self, role: Role, unit_id: int | None = None) -> Staff:
        query = select(Staff).where(Staff.left_at.is_(None)).order_by(Staff.id)
        people = [one for one in db.session.scalars(query) if role in one.roles]
        return next(one for one in people if unit_id is None or one.unit_id == unit_id)

    # What must be true

    def _check_must(self, words: str) -> None:
        assert words in self.answer.text, f"the bot must say {words!r}"

    def _check_not(self, words: str) -> None:
        assert words not in self.answer.text, f"the bot must not say {words!r}"

    def _check_silent(self, _: str) -> None:
        assert not self.answer.text, "the bot must say nothing"

    def _check_told(self, words: str) -> None:
        """`NAME words`: what was pushed to somebody."""
        who, _, sentence = words.partition(" ")
        assert any(sentence in text for text in self.told.get(who, [])), f"{who} must be told {sentence!r}"

    def _check_by(self, words: str) -> None:
        """`NAME channel`: the way the last message to somebody travelled."""
        who, channel = words.split()
        assert self.channels.get(who) == channel, f"{who} was told by {self.channels.get(who)}, not {channel}"

    def _check_untold(self, words: str) -> None:
        who, _, sentence = words.partition(" ")
        assert not any(sentence in text for text in self.told.get(who, [])), f"{who} must not be told {sentence!r}"

    def _check_reports(self, count: str) -> None:
        db.session.rollback()
        assert len(self.numbers) == int(count), f"{len(self.numbers)} reports, not {count}"

    def _check_report(self, words: str) -> None:
        """`[BH...] field=value ...` about the newest report; a value is part of what the field holds."""
        db.session.rollback()
        parts = words.split()
        number = parts.pop(0) if parts[0].startswith("BH") else self.numbers[-1]
        report = reports.find(number)
        category = reference().categories_by_id.get(report.category_id) if report.category_id else None
        photos = len(db.session.scalars(select(Photo.id).where(Photo.report_id == report.id)).all())
        known = {
            "status": report.status, "urgency": report.urgency, "intent": report.intent, "source": report.source,
            "category": f"{category.code} {category.name}" if category else "none", "photos": str(photos),
            "words": report.description, "address": report.address, "place": report.place_source or "none",
            "unit": report.unit.code if report.unit else "none", "language": report.language,
            "waiting": "yes" if report.waiting_for_resident else "no",
            "stars": str(report.stars), "reopened": str(report.reopen_count),
            "facility": report.facility.code if report.facility else "none",
        }  # fmt: skip
        for part in parts:
            name, _, value = part.partition("=")
            assert value in known[name], f"{name} is {known[name]!r}, not {value!r}"

    def _check_history(self, words: str) -> None:
        """The kinds of the newest report's history, in order, must hold these."""
        query = select(ReportEvent.kind).join(Report).where(Report.number == self.numbers[-1]).order_by(ReportEvent.id)
        kinds = list(db.session.scalars(query))
        for kind in words.split():
            assert kind in kinds, f"the history is {kinds}"

    def _check_following(self, words: str) -> None:
        """`NAME BH...`: the resident follows that report."""
        who, number = words.split()
        row = db.session.scalar(
            select(ReportFollower)
            .join(Report, Report.id == ReportFollower.report_id)
            .join(Resident, Resident.id == ReportFollower.resident_id)
            .where(Report.number == number, Resident.openid == self.phones[who].openid)
        )
        assert row is not None, f"{who} does not follow {number}"
