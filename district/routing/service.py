"""Routing: gives waiting reports their unit, in batches, and keeps how each decision came about.

The decision itself is pure (`rules`); this gathers the facts, applies it through the reports' verbs and records it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import or_, select

from district import clock
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.duty import service as duty
from district.errors import BadInput, DistrictError, NotFound
from district.extensions import db
from district.facilities.models import Facility
from district.geo.gazetteer import Found, NamedPoint
from district.messages import t
from district.reference import CategoryRef, Reference, UnitRef, held_reference, reference
from district.reports import merging
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.routing import gathering
from district.routing.models import RoutingDecision
from district.routing.rules import Decision, Facts, RuleBook, choose
from district.routing.standing import Standing, standing
from district.rows import batch, put
from district.understanding import Intent, Understanding, store, understand

log = logging.getLogger(__name__)

# Seconds to wait after a report that could not be decided; after the last try people decide.
TRY_AGAIN_AFTER_S = (10, 60)
# So near to a border between areas a telephone cannot tell the sides apart; `routing.border_metres` wins, 0 is off.
BORDER_M = 10
# Somebody is changing the report that this one would join: it is looked at again so much later.
BUSY = timedelta(seconds=0.3)
GIVEN, UNDERSTOOD, NONE = "given", "understood", "none"
_DEFAULT_BACKSTOP_KIND = "command_center"
_RANK = {Urgency.NORMAL: 0, Urgency.URGENT: 1, Urgency.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the rules propose for a report that waits in triage."""

    unit_id: int | None
    other_units: tuple[tuple[int, str], ...]
    rule_code: str | None


@dataclass(frozen=True, slots=True)
class Considered:
    """A decision about words that are not filed. latitude, longitude: WGS-84, of the place that was taken.

    inputs: what was looked at, as a decision keeps it.
    """

    understood: Understanding
    found: Found
    latitude: float | None
    longitude: float | None
    decision: Decision
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _FacilityFacts:
    code: str
    type_id: int
    state: str
    maintainer_unit_id: int | None
    owner_unit_id: int | None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A decision and what the report learns from it. category, urgency: what they will be."""

    decision: Decision
    category: CategoryRef | None
    urgency: Urgency
    inputs: dict[str, Any]
    took_us: int


def waiting_ids(limit: int = 50) -> list[int]:
    """The ids of reports that wait for routing now, longest first. Locks nothing."""
    return list(db.session.scalars(_waiting(limit).with_only_columns(Report.id)))


def route_waiting(limit: int = 50, *, only: Sequence[int] | None = None) -> int:
    """Decide for up to `limit` waiting reports, longest waiting first; how many were taken up.

    Runs inside a unit of work and writes once. Safe to run anywhere at any time: rows another worker holds are
    skipped, and whatever is no longer `submitted` is left alone. only: none but these ids.
    A report that cannot be decided is put off and, after its last try, left to people; it never stops the others.
    """
    query = _with_facility(_waiting(limit))
    if only is not None:
        query = query.where(Report.id.in_(only))
    rows = db.session.execute(
        query.with_for_update(of=Report, skip_locked=True).execution_options(populate_existing=True)
    ).all()
    if not rows:
        return 0
    verdicts: dict[int, tuple[Report, _Verdict]] = {}
    with held_reference() as ref, batch():
        for report, *columns in rows:
            facility = _FacilityFacts(*columns) if columns[0] is not None else None
            try:
                verdicts[report.id] = (report, _decide(report, facility, ref))
            except Exception as error:  # noqa: BLE001  one report that nobody foresaw must not hold up the others
                # Nothing of the report was touched yet. The traceback may hold its words: only its name is logged.
                _put_off(report, type(error).__name__)
        gathered = gathering.gather([_newcomer(report, verdict) for report, verdict in verdicts.values()], ref)
        joining = gathered.joining()
        # What is written together happens at one moment.
        with clock.frozen_at(clock.now()):
            for report_id, (report, verdict) in verdicts.items():
                if report_id in gathered.busy:
                    report.route_after = clock.now() + BUSY
                elif report_id not in joining:
                    try:
                        _apply(report, verdict, ref)
                    except DistrictError as error:
                        # The verbs refuse before they change anything.
                        _put_off(report, error.code)
            for head in gathered.heads:
                _join(head, verdicts, ref)
    gathering.finish(gathered)
    return len(rows)


def decide_again(limit: int, books: Sequence[RuleBook]) -> list[tuple[Report, list[Decision]]]:
    """What each book of rules says today about the latest reports, newest first. Files and changes nothing."""
    ref = reference()
    rows = db.session.execute(_with_facility(select(Report).order_by(Report.id.desc()).limit(limit))).all()
    found = []
    for report, *columns in rows:
        facility = _FacilityFacts(*columns) if columns[0] is not None else None
        found.append((report, [_decide(report, facility, ref, book).decision for book in books]))
    return found


def _with_facility(query: Any) -> Any:
    """The query of reports with what routing has to know of each one's facility."""
    return query.add_columns(
        Facility.code, Facility.type_id, Facility.state, Facility.maintainer_unit_id, Facility.owner_unit_id
    ).outerjoin(Facility, Facility.id == Report.facility_id)


def put_off(report_id: int) -> None:
    """Note one more failed try of a report whose routing could not even be written down.

    For the job, in a unit of work of its own: the next try waits, and after the last one people decide.
    """
    report = db.session.scalar(
        select(Report).where(Report.id == report_id, Report.status == Status.SUBMITTED).with_for_update()
    )
    if report is not None:
        _put_off(report, "unit_of_work")
        db.session.flush()


def proposal(report_id: int) -> Proposal | None:
    """What the latest decision proposed, its other units included, for whoever dispatches by hand."""
    row = db.session.scalar(
        select(RoutingDecision)
        .where(RoutingDecision.report_id == report_id)
        .order_by(RoutingDecision.id.desc())
        .limit(1)
    )
    if row is None:
        return None
    units = reference().units_by_code
    others = tuple(
        (units[code].id, role)
        for code, role in row.inputs.get("other_units", ())
        if code in units and not units[code].is_closed
    )
    return Proposal(row.unit_id, others, row.rule_code)


def if_it_were(report: Report, category: CategoryRef) -> Decision:
    """What the rules would decide about the report if it were of this category; changes nothing."""
    ref = reference()
    facility = report.facility
    facts = _facts(
        ref,
        category=category,
        facility=_facility_facts(facility),
        area=report.area_code,
        compound_id=report.compound_id,
        text=report.description,
        intent=report.intent,
        urgency=max(Urgency(report.urgency), category.urgency, key=_RANK.__getitem__),
        has_place=report.latitude is not None or facility is not None or bool(report.address),
        at=report.submitted_at,
    )
    return choose(facts, rule_book(ref))


def decide_for(
    text: str,
    latitude: float | None = None,
    longitude: float | None = None,
    facility_code: str | None = None,
    category_code: str | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """Where a report with these words would go, as `flask district route --json` prints it. Files nothing.

    latitude, longitude: WGS-84, else the facility's place, else the place the words name. at: a naive time is the
    district's. Raises NotFound for an unknown facility or category, BadInput for a place outside the district.
    """
    considered = consider(text, latitude, longitude, facility_code, category_code, at)
    decision, understood = considered.decision, considered.understood
    found = standing(decision, reference(), _aware(at))
    unit = found.unit
    return {
        "category": _category_json(category_code, understood),
        "candidates": [{"code": code, "confidence": sure} for code, sure in understood.candidates],
        "intent": understood.intent,
        "urgency": understood.urgency.value,
        "place": _place_json(considered),
        "unit": {"code": unit.code, "name": unit.name} if unit else None,
        "triage": decision.to_triage,
        "reason": t(found.reason["key"], **found.reason["params"]),
        "trace": found.trace,
    }


def _aware(at: datetime | None) -> datetime | None:
    """A naive time is the district's."""
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))


def consider(
    text: str,
    latitude: float | None = None,
    longitude: float | None = None,
    facility_code: str | None = None,
    category_code: str | None = None,
    at: datetime | None = None,
    *,
    fallback: Mapping[str, float] | None = None,
) -> Considered:
    """What would be understood and decided of a report with these words; files nothing. See `decide_for`.

    fallback: `latitude` and `longitude` of the place to assume where the words name none in the district.
    """
    at = _aware(at)
    ref = reference()
    category = ref.categories_by_code.get(category_code) if category_code else None
    if category_code and category is None:
        raise NotFound("errors.category_unknown")
    facility = _facility(facility_code) if facility_code else None
    found = Found()
    if (latitude is None) != (longitude is None):
        raise BadInput(fields={"latitude": "errors.place_half"})
    if latitude is None and facility is not None:
        latitude, longitude = facility.latitude, facility.longitude
    elif latitude is None:
        found = ref.gazetteer.find(text)
        if found.place is not None:
            latitude, longitude = found.place.latitude, found.place.longitude
        elif fallback:
            latitude, longitude = fallback["latitude"], fallback["longitude"]
    with clock.frozen_at(at or clock.now()):
        understood = understand(text, ref)
        if category is None:
            category = ref.categories_by_code.get(understood.category or "")
        area = ""
        compound_id = None
        if latitude is not None and longitude is not None:
            located = ref.locator.locate(latitude, longitude)
            if not located.in_district:
                raise BadInput(fields={"latitude": "errors.outside_district"})
            area, compound_id = located.area_code, located.compound_id
        facts = _facts(
            ref,
            category=category,
            facility=_facility_facts(facility),
            area=area,
            compound_id=compound_id,
            text=text,
            intent=understood.intent,
            urgency=understood.urgency,
            has_place=latitude is not None,
            at=clock.now(),
        )  # fmt: skip
        decision = _choose(facts, latitude, longitude, ref)
        source = GIVEN if category_code else UNDERSTOOD if category else NONE
        inputs = _inputs(facts, decision, source, understood, ref)
        return Considered(understood, found, latitude, longitude, decision, inputs)


def rule_book(ref: Reference) -> RuleBook:
    """The rules in force, made ready once for each state of the reference data."""
    return ref.once("routing.rule_book", _make_rule_book)


def _make_rule_book(ref: Reference) -> RuleBook:
    return RuleBook(ref.rules, duty.answering_units(ref), backstop_of(ref))


def backstop_of(ref: Reference) -> str:
    """The code of the unit that gets what no rule wants; empty where the district has none."""
    backstop = ref.setting("routing.backstop_unit", "")
    if backstop not in ref.units_by_code:
        # A district without the setting still has somebody who sorts reports out.
        kinds = (unit.code for unit in ref.units_by_code.values() if unit.kind == _DEFAULT_BACKSTOP_KIND)
        backstop = next(kinds, "")
    return str(backstop)


def _waiting(limit: int) -> Any:
    return (
        select(Report)
        .where(Report.status == Status.SUBMITTED, Report.route_after <= clock.now())
        .order_by(Report.route_after, Report.id)
        .limit(limit)
    )


def _decide(report: Report, facility: _FacilityFacts | None, ref: Reference, book: RuleBook | None = None) -> _Verdict:
    """What the rules (or those of another book) say about the report; changes nothing."""
    started = time.perf_counter_ns()
    source, understood = GIVEN, None
    category = ref.categories_by_id.get(report.category_id) if report.category_id is not None else None
    intent, urgency = report.intent, Urgency(report.urgency)
    if category is None:
        understood = understand(report.description, ref, has_place=True) if report.description else None
        category = ref.categories_by_code.get(understood.category or "") if understood else None
        source = UNDERSTOOD if category else NONE
    if understood is not None:
        intent = understood.intent if intent == Intent.REPORT else intent
        urgency = max(urgency, understood.urgency, key=_RANK.__getitem__)
    facts = _facts(
        ref,
        category=category,
        facility=facility,
        area=report.area_code,
        compound_id=report.compound_id,
        text=report.description,
        intent=intent,
        urgency=urgency,
        has_place=report.latitude is not None or facility is not None or bool(report.address),
        at=report.submitted_at,
    )
    decision = _choose(facts, report.latitude, report.longitude, ref, book)
    took_us = (time.perf_counter_ns() - started) // 1000
    return _Verdict(decision, category, urgency, _inputs(facts, decision, source, understood, ref), took_us)


def _choose(
    facts: Facts, latitude: float | None, longitude: float | None, ref: Reference, book: RuleBook | None = None
) -> Decision:
    """The rules' decision, that of both sides where the point lies on a border between areas."""
    book = book or rule_book(ref)
    # A facility's and a compound's area is known from the records, however near the border.
    if latitude is None or longitude is None or facts.facility or facts.compound:
        return choose(facts, book)
    within_m = ref.setting("routing.border_metres", BORDER_M)
    codes = ref.locator.neighbours(latitude, longitude, within_m) if within_m else ()
    names = {code: ref.areas_by_code[code].name for code in codes if code in ref.areas_by_code and code != facts.area}
    return book.choose_on_border(facts, names) if names else choose(facts, book)


def _newcomer(report: Report, verdict: _Verdict) -> gathering.Newcomer:
    category = verdict.category
    return gathering.Newcomer(
        report,
        category.id if category is not None else None,
        category.code if category is not None else None,
        verdict.urgency,
        str(verdict.inputs.get("intent") or report.intent),
        report.latitude,
        report.longitude,
    )


def _join(head: gathering.Head, verdicts: Mapping[int, tuple[Report, _Verdict]], ref: Reference) -> None:
    """Whoever reported what is known already joins it, and hears how many did before."""
    unit_id = head.own.unit_id if head.own is not None else head.unit_id
    unit = ref.units_by_id.get(unit_id) if unit_id is not None else None
    for place, one in enumerate(head.joined):
        _learn(one.report, verdicts[one.report.id][1])
        try:
            merging.join(
                one.report, head, how=head.how, others=head.others + place, unit=unit.name if unit is not None else ""
            )
        except DistrictError as error:
            _put_off(one.report, error.code)


def _learn(report: Report, verdict: _Verdict) -> None:
    """What was understood of the report becomes part of it; danger that others reported of it stays."""
    if verdict.category is not None and report.category_id is None:
        report.category_id = verdict.category.id
    if _RANK[verdict.urgency] > _RANK[Urgency(report.urgency)]:
        report.urgency = verdict.urgency
        report.dispatch_due_at = deadlines.dispatch_due_at(verdict.urgency, report.submitted_at)


def _apply(report: Report, verdict: _Verdict, ref: Reference) -> None:
    """Hand the decision to the verbs and keep it with its trace. Raises what the verbs raise."""
    decision = verdict.decision
    _learn(report, verdict)
    found = standing(decision, ref)
    unit, reason = found.unit, found.reason
    others = [(ref.units_by_code[code].id, role) for code, role in decision.other_units]
    if decision.to_triage or unit is None:
        reports.send_to_triage(
            report, reason=reason, proposed_unit_id=unit.id if unit else None, other_units=others,
            is_unclear=decision.rule is None,
        )  # fmt: skip
    else:
        reports.assign(
            report,
            unit.id,
            by=reports.SYSTEM,
            reason=reason,
            other_units=others,
            rule_code=decision.rule,
        )
    keep(report, verdict, found)


def judge(report: Report, facility: Facility | None, ref: Reference) -> _Verdict:
    """What the rules say about a report as it is now; changes nothing."""
    return _decide(report, _facility_facts(facility), ref)


def keep(report: Report, verdict: _Verdict, found: Standing) -> None:
    """Keep a decision with its trace."""
    decision = verdict.decision
    put(
        RoutingDecision,
        report_id=report.id,
        at=clock.now(),
        rules_version=reference().rules_version,
        rule_code=decision.rule,
        unit_id=found.unit.id if found.unit else None,
        to_triage=decision.to_triage,
        reason=found.reason,
        inputs=verdict.inputs,
        trace=found.trace,
        took_us=verdict.took_us,
    )


def _put_off(report: Report, reason: str) -> None:
    """One more failed try: later again, or to people."""
    report.route_tries += 1
    log.error("report not routed", extra={"report": report.id, "reason": reason, "tries": report.route_tries})
    if report.route_tries <= len(TRY_AGAIN_AFTER_S):
        report.route_after = clock.now() + timedelta(seconds=TRY_AGAIN_AFTER_S[report.route_tries - 1])
        return
    try:
        reports.send_to_triage(report, reason={"key": "routing.reason.failed", "params": {}})
    except DistrictError:
        # Nothing may be worse off for having been looked at: it stays where the sweep and the panel see it.
        report.route_after = clock.now() + timedelta(seconds=TRY_AGAIN_AFTER_S[-1])


def _facts(
    ref: Reference,
    *,
    category: CategoryRef | None,
    facility: _FacilityFacts | None,
    area: str,
    compound_id: int | None,
    text: str,
    intent: str,
    urgency: Urgency,
    has_place: bool,
    at: datetime,
) -> Facts:
    compound = ref.compounds_by_id.get(compound_id) if compound_id is not None else None
    kind = ref.facility_types_by_id.get(facility.type_id) if facility else None
    place = ref.areas_by_code.get(area)
    return Facts(
        intent=intent,
        urgency=urgency.value,
        text=text,
        category=category.code if category else None,
        category_major=category.major if category else None,
        category_facility_type=(category.facility_type_code or None) if category else None,
        category_urgency=category.urgency.value if category else None,
        facility=facility.code if facility else None,
        facility_type=kind.code if kind else None,
        facility_state=facility.state if facility else None,
        facility_maintainer=_code(ref, facility.maintainer_unit_id) if facility else None,
        facility_owner=_code(ref, facility.owner_unit_id) if facility else None,
        area=area or None,
        compound=compound.code if compound else None,
        compound_property=_code(ref, compound.property_unit_id) if compound else None,
        has_place=has_place,
        at=at.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])),
        category_name=category.name if category else "",
        facility_name=kind.name if kind else "",
        area_name=place.name if place else "",
        compound_name=compound.name if compound else "",
    )


def _code(ref: Reference, unit_id: int | None) -> str | None:
    unit: UnitRef | None = ref.units_by_id.get(unit_id) if unit_id is not None else None
    return unit.code if unit else None


def _inputs(
    facts: Facts, decision: Decision, source: str, understood: Understanding | None, ref: Reference
) -> dict[str, Any]:
    """What the decision looked at, without the resident's words."""
    known = {name: value for name, value in facts.fields.items() if value is not None and name != "text"}
    inputs: dict[str, Any] = known | {"category_source": source, "has_place": facts.has_place}
    if understood is not None:
        inputs["candidates"] = [[code, sure] for code, sure in understood.candidates]
        inputs["danger"] = understood.danger
        inputs["classifier"] = store.version(ref)
    if decision.other_units:
        inputs["other_units"] = [list(part) for part in decision.other_units]
    return inputs


def _facility_facts(facility: Facility | None) -> _FacilityFacts | None:
    if facility is None:
        return None
    return _FacilityFacts(
        facility.code, facility.type_id, facility.state, facility.maintainer_unit_id, facility.owner_unit_id
    )


def _facility(code: str) -> Facility:
    """A facility by either of its codes. Raises NotFound."""
    facility = db.session.scalar(
        select(Facility).where(or_(Facility.code == code, Facility.code17 == code), Facility.retired_at.is_(None))
    )
    if facility is None:
        raise NotFound("errors.facility_unknown")
    return facility


def _category_json(given: str | None, understood: Understanding) -> dict[str, Any] | None:
    if given:
        return {"code": given, "confidence": 1.0}
    if not understood.candidates:
        return None
    code, sure = understood.candidates[0]
    return {"code": code, "confidence": sure}


def _place_json(considered: Considered) -> dict[str, Any] | None:
    """The one place, or the candidates without one, or None. kind `given`: it did not come from the words."""
    latitude, longitude, found = considered.latitude, considered.longitude, considered.found
    if latitude is None and not found.candidates:
        return None
    place = found.place
    return {
        "latitude": latitude,
        "longitude": longitude,
        "name": place.name if place else None,
        "kind": place.kind if place else ("given" if found == Found() else None),
        "candidates": [_point_json(point) for point in found.candidates],
    }


def _point_json(point: NamedPoint) -> dict[str, Any]:
    return {
        "latitude": point.latitude,
        "longitude": point.longitude,
        "name": point.name,
        "kind": point.kind,
    }
