"""A report in every stand of its life, and everybody who might act on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from district import clock
from district.categories.models import LimitUnit
from district.extensions import db
from district.people.roles import Role
from district.reports import extensions, guards, questions
from district.reports import service as reports
from district.reports.models import Report, ReportUnit
from district.reports.states import HAS_UNIT, Action, Status
from district.units.models import Unit
from district.work import unit_of_work
from tests import factories

# `+` marks a report whose hand-back awaits its ruling, `?` one whose resident was asked something, `!` one for which
# more time was asked.
STANDS = [
    *(status.value for status in Status), "assigned+", "in_progress+", "triage?", "assigned?", "in_progress?",
    "assigned!",
]  # fmt: skip


class Stands:
    """A report in every stand, and everybody who might act on it."""

    def __init__(self) -> None:
        district = factories.SmallDistrict()
        self.district = district
        with unit_of_work():
            bureau = factories.make_unit("SZ", name="市政局")
            crew = factories.make_unit("SZ-LD-1", name="路灯一班", parent_id=district.lamps.id)
            db.session.get_one(Unit, district.lamps.id).parent_id = bureau.id
            self.other = factories.make_unit("HW", name="环卫队")
            co_unit = factories.make_unit("JJ", name="交警")
            self.people: dict[str, Any] = {
                "system": guards.SYSTEM,
                "key_holder": guards.KEY_HOLDER,
                "resident": district.resident,
                "other_resident": factories.make_resident(),
                "handler": district.staff["handler"],
                "bureau": factories.make_staff("bureau", bureau, Role.HANDLER),
                "co_handler": factories.make_staff("co-handler", co_unit, Role.HANDLER),
                "crew": factories.make_staff("crew", crew, Role.HANDLER, Role.UNIT_MANAGER),
                "other_unit": factories.make_staff("hw", self.other, Role.HANDLER, Role.UNIT_MANAGER),
                # Checkers by role who sit in a unit that had a part in the work.
                "insider": factories.make_staff("insider", district.lamps, Role.VERIFIER, Role.INSPECTOR),
                "co_insider": factories.make_staff("co-insider", co_unit, Role.VERIFIER, Role.INSPECTOR),
                "departed": factories.make_staff("departed", district.command, *Role),
            } | {
                name: district.staff[name]
                for name in (
                    "acceptor", "dispatcher", "shift_lead", "verifier", "inspector", "leader", "administrator",
                    "unit_manager",
                )
            }  # fmt: skip
            self.people["departed"].left_at = clock.now()
        factories.forget_reference()
        self.reports = {stand: self._make(stand) for stand in STANDS}
        # Who has been offered what, by stand and name: the reports stay as they are.
        self.offered: dict[tuple[str, str], frozenset[Action]] = {}
        self.another_id = factories.make_report(district).id  # open, for what takes two
        with unit_of_work():
            for name, report_id in self.reports.items():
                if Status(name.rstrip("+?!")) in HAS_UNIT:
                    db.session.add(ReportUnit(report_id=report_id, unit_id=co_unit.id, role="co"))

    def _make(self, stand: str) -> int:
        status = Status(stand.rstrip("+?!"))
        if status is Status.SUSPENDED:
            report = factories.make_report(self.district, Status.ASSIGNED)
            with unit_of_work():
                until = clock.now() + timedelta(days=30)
                reports.suspend(reports.lock(report.id), by=self.people["dispatcher"], reason="等开春", until=until)
            return report.id
        if status is Status.MERGED:
            # No verb leads there yet: the row is set as the constraints want it.
            report = factories.make_report(self.district)
            parent = factories.make_report(self.district).id
            with unit_of_work() as session:
                session.execute(update(Report).where(Report.id == report.id).values(status=status, parent_id=parent))
            return report.id
        report = factories.make_report(self.district, status)
        if stand.endswith("+"):
            with unit_of_work():
                reports.hand_back(reports.lock(report.id), by=self.people["handler"], reason="不归我们管")
        if stand.endswith("!"):
            with unit_of_work():
                extensions.ask(
                    reports.lock(report.id), by=self.people["handler"], reason="等配件", more=2,
                    unit=LimitUnit.WORKING_DAYS,
                )  # fmt: skip
        if stand.endswith("?"):
            with unit_of_work():
                questions.ask(reports.lock(report.id), by=self.people["dispatcher"], text="具体在哪里？")
        return report.id
