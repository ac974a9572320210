"""What the database refuses about accounts, whoever writes."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from district import clock
from district.extensions import db
from district.people.models import Staff
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict


@both_databases
def test_codes_are_not_asked_for_without_a_secret(app: object) -> None:
    staff = SmallDistrict().staff["handler"]
    with pytest.raises(IntegrityError, match="codes_have_a_secret"), unit_of_work():
        db.session.execute(
            text("update staff set totp_since = :at where id = :id"), {"at": clock.now().isoformat(), "id": staff.id}
        )
    with unit_of_work():
        row = db.session.get_one(Staff, staff.id)
        row.totp_sealed, row.totp_since = "sealed", clock.now()
