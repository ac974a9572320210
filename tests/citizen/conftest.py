"""What the tests of residents' pages share."""

from __future__ import annotations

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from district.people import logins
from district.people.models import Staff
from district.work import unit_of_work
from tests.factories import SmallDistrict


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def log_in(client: FlaskClient, staff: Staff) -> None:
    """Put a member of staff into this browser's session, as the panel's login does."""
    with unit_of_work():
        staff.login_id = logins.begin(staff.id, device="wechat/android").id
    with client.session_transaction() as session:
        session["_user_id"] = staff.get_id()
        session["_fresh"] = True
    forget_who_asked()


def forget_who_asked() -> None:
    """Requests of one test share an application context: the person found for the last one must not stay."""
    g.pop("_login_user", None)
