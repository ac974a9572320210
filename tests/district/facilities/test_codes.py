"""Codes over time: every step from every state, by everybody; what a revoked one opens; who issues which."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.code_states import CODE_TRANSITIONS, ENDED, LIVE, CodeAction, CodeState, step
from district.facilities.models import Facility, FacilityToken
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import SmallDistrict

# (action, state it begins in): the state it leads to. Every pair that is not here is refused.
EXPECTED = {
    ("print", "issued"): "printed",
    ("print", "printed"): "printed",
    ("print", "placed"): "placed",
    ("place", "printed"): "placed",
    ("replace", "issued"): "replaced",
    ("replace", "printed"): "replaced",
    ("replace", "placed"): "replaced",
    ("revoke", "issued"): "revoked",
    ("revoke", "printed"): "revoked",
    ("revoke", "placed"): "revoked",
}
# Who may in the facility's own unit, and who may anywhere.
OWN = {"print": {"unit_manager"}, "place": {"handler", "unit_manager"}, "replace": {"handler", "unit_manager"}}


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


@pytest.fixture
def facility(district: SmallDistrict) -> Facility:
    with unit_of_work():
        return factories.make_facility(district.lamps)


def in_state(facility: Facility, state: str) -> str:
    """The facility's code, brought into a state as the database wants it whole."""
    now = clock.now()
    with unit_of_work() as session:
        row = session.scalars(select(FacilityToken).where(FacilityToken.facility_id == facility.id)).one()
        if state == "replaced":
            session.add(FacilityToken(token="SUCCESSOR2", facility_id=facility.id, issued_at=now))
            session.flush()
            row.replaced_at, row.replaced_by = now, "SUCCESSOR2"
        row.state = state
        row.printed_at = None if state == "issued" else now
        row.placed_at = now if state == "placed" else None
        row.revoked_at = now if state == "revoked" else None
        return row.token


def state_of(token: str) -> str:
    db.session.expire_all()
    return db.session.get_one(FacilityToken, token).state


@pytest.mark.parametrize("action", list(CodeAction))
@pytest.mark.parametrize("state", list(CodeState))
def test_the_table_says_where_each_step_leads(action: CodeAction, state: CodeState) -> None:
    found = step(action, state)
    assert (str(found.target) if found else None) == EXPECTED.get((action, state))


def test_every_state_is_in_use_or_has_ended() -> None:
    assert set(CodeState) == LIVE | ENDED
    assert not LIVE & ENDED
    assert not {source for row in CODE_TRANSITIONS for source in row.sources} & ENDED, "nothing comes back from its end"


@both_databases
@pytest.mark.parametrize("state", list(CodeState))
def test_a_label_is_placed_only_after_it_was_printed(
    district: SmallDistrict, facility: Facility, state: CodeState
) -> None:
    token = in_state(facility, state)
    if ("place", state) in EXPECTED:
        with unit_of_work():
            codes.place(token, by=district.staff["handler"])
        assert state_of(token) == "placed"
        return
    with pytest.raises(WrongState), unit_of_work():
        codes.place(token, by=district.staff["handler"])
    assert state_of(token) == state


@both_databases
@pytest.mark.parametrize("state", list(CodeState))
def test_printing_moves_on_only_what_was_never_printed(
    district: SmallDistrict, facility: Facility, state: CodeState
) -> None:
    token = in_state(facility, state)
    with unit_of_work():
        codes.mark_printed([token])
    assert state_of(token) == EXPECTED.get(("print", state), state)


@both_databases
@pytest.mark.parametrize("state", list(CodeState))
def test_revoking_ends_what_is_in_use_and_leaves_the_rest(
    district: SmallDistrict, facility: Facility, state: CodeState
) -> None:
    token = in_state(facility, state)
    with unit_of_work():
        codes.revoke(token, by=district.staff["administrator"], reason=" 牌子丢了 ")
    assert state_of(token) == EXPECTED.get(("revoke", state), state)
    row = db.session.get_one(FacilityToken, token)
    assert row.reason == ("牌子丢了" if state in LIVE else "")
    assert row.ended_by_id == (district.staff["administrator"].id if state in LIVE else None)
    with pytest.raises(facilities.Revoked):
        facilities.by_token(token)


@pytest.mark.parametrize("who", [role.value for role in Role])
@pytest.mark.parametrize("action", list(CodeAction))
def test_who_may_do_what(district: SmallDistrict, facility: Facility, who: str, action: CodeAction) -> None:
    """The same people in the facility's unit and in another one."""
    (state,) = {row.sources for row in CODE_TRANSITIONS if row.action is action and CodeState.PRINTED in row.sources}
    assert CodeState.PRINTED in state
    with unit_of_work():
        own = factories.make_staff(f"own-{who}", district.lamps, Role(who))
        other = factories.make_staff(f"other-{who}", district.street, Role(who))
        row = db.session.get_one(FacilityToken, facilities.token_of(facility.id))
        row.state, row.printed_at = CodeState.PRINTED, clock.now()
        db.session.flush()
        assert codes.may(own, action, row) == (who == "administrator" or who in OWN.get(action, set()))
        assert codes.may(other, action, row) == (who == "administrator")


@both_databases
def test_the_old_label_is_good_until_the_new_one_hangs(district: SmallDistrict, facility: Facility) -> None:
    old = in_state(facility, "placed")
    handler = district.staff["handler"]
    with clock.frozen_at(clock.now() + timedelta(hours=1)), unit_of_work():
        new = codes.issue(db.session.get_one(Facility, facility.id), by=handler, reason="褪色").token
    with unit_of_work():
        codes.mark_printed([new])
    assert facilities.by_token(old).id == facilities.by_token(new).id == facility.id
    with unit_of_work():
        codes.place(new, by=handler)
    assert facilities.by_token(new).id == facility.id
    with pytest.raises(facilities.Revoked):
        facilities.by_token(old)
    row = db.session.get_one(FacilityToken, old)
    assert (row.state, row.replaced_by, row.ended_by_id) == ("replaced", new, handler.id)
    done = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert [action for action in done if action.startswith("facility.")] == [
        "facility.issue_code", "facility.place_code",
    ]  # fmt: skip


@both_databases
def test_placing_an_older_label_leaves_a_newer_one_alone(district: SmallDistrict, facility: Facility) -> None:
    old = in_state(facility, "printed")
    with clock.frozen_at(clock.now() + timedelta(hours=1)), unit_of_work():
        new = codes.issue(db.session.get_one(Facility, facility.id), by=district.staff["handler"]).token
    with unit_of_work():
        codes.place(old, by=district.staff["handler"])
    assert facilities.by_token(new).id == facility.id


@both_databases
def test_one_lost_plate_is_revoked_without_touching_the_rest(district: SmallDistrict, facility: Facility) -> None:
    with unit_of_work():
        others = [factories.make_facility(district.lamps) for _ in range(3)]
        tokens = [str(facilities.token_of(one.id)) for one in others]
    lost = str(facilities.token_of(facility.id))
    with unit_of_work():
        codes.revoke(lost, by=district.staff["administrator"])
    assert [state_of(token) for token in tokens] == ["issued"] * 3


@both_databases
def test_codes_are_issued_in_batches_where_none_is_in_use(district: SmallDistrict, facility: Facility) -> None:
    with unit_of_work() as session:
        ids = [factories.make_facility(district.lamps).id for _ in range(5)]
        for token in session.scalars(select(FacilityToken).where(FacilityToken.facility_id.in_(ids[:3]))):
            token.state, token.revoked_at = CodeState.REVOKED, clock.now()
    with unit_of_work():
        assert codes.issue_where_missing([*ids, facility.id], by=district.staff["administrator"]) == 3
    with unit_of_work():
        assert codes.issue_where_missing([*ids, facility.id]) == 0
    rows = db.session.scalars(select(FacilityToken).where(FacilityToken.issued_by_id.is_not(None))).all()
    assert {row.facility_id for row in rows} == set(ids[:3])
    assert {row.state for row in rows} == {"issued"}


@pytest.mark.parametrize("who, may", [("handler", True), ("administrator", True), ("street", False), ("leader", False)])
def test_only_its_unit_and_administrators_ask_for_a_new_code(
    district: SmallDistrict, facility: Facility, who: str, may: bool
) -> None:
    staff: Staff = district.staff[who]
    if may:
        with unit_of_work():
            codes.issue(db.session.get_one(Facility, facility.id), by=staff)
        return
    with pytest.raises(NotAllowed), unit_of_work():
        codes.issue(facility, by=staff)


def test_a_reason_is_short_and_a_code_exists(district: SmallDistrict, facility: Facility) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        codes.issue(facility, by=district.staff["administrator"], reason="长" * 201)
    assert list(refused.value.fields) == ["reason"]
    with pytest.raises(NotFound), unit_of_work():
        codes.place("NOPE", by=district.staff["administrator"])
    token = in_state(facility, "printed")
    with pytest.raises(NotAllowed), unit_of_work():
        codes.place(token, by=district.staff["street"])
