"""What the tests of the panel share: a small district, people at its panel, forms as browsers send them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from district import clock
from district.extensions import db, limiter
from district.people import logins
from district.people.models import Staff
from district.reports.models import Report
from district.work import unit_of_work
from tests.factories import PASSWORD, SmallDistrict


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


@pytest.fixture(autouse=True)
def _limits_off(request: pytest.FixtureRequest) -> Iterator[None]:
    """The counters of wrong logins outlive a test: only the tests about them turn them on."""
    if request.node.get_closest_marker("browser"):
        # A server of their own, used as people use it.
        yield
        return
    request.getfixturevalue("app")
    enabled, limiter.enabled = limiter.enabled, False
    yield
    limiter.enabled = enabled


class Person:
    """Somebody at the panel, in a browser of their own."""

    def __init__(self, app: Flask, username: str = "", password: str = PASSWORD) -> None:
        self.client: FlaskClient = app.test_client()
        if username:
            answer = self.post("/admin/login", username=username, password=password)
            assert answer.status_code == 302, answer.text[:500]

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._ask(self.client.get, path, **options)

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form."""
        return self._ask(self.client.post, path, data=fields)

    def briefly(self) -> Person:
        """From now on ask as the page's own script does: a refusal is said without the whole panel around it."""
        self.client.environ_base["HTTP_HX_REQUEST"] = "true"
        return self

    def sit_down(self, staff: Staff) -> Person:
        """Log in without the slow part: the session that the form's answer leaves behind."""
        with unit_of_work():
            staff.login_id = logins.begin(staff.id, device="chrome/windows").id
        with self.client.session_transaction() as session:
            session["_user_id"] = staff.get_id()
            session["_fresh"] = True
            session["since"] = clock.now().timestamp()
        return self

    def _ask(self, method: Callable[..., TestResponse], path: str, **options: Any) -> TestResponse:
        # Requests of one test share an application context: what the last one found must not stay.
        for name in ("_login_user", "csrf_token", "csrf_valid"):
            g.pop(name, None)
        answer = method(path, buffered=True, **options)
        g.pop("_login_user", None)
        return answer

    def act(self, report: Report, action: str, **fields: Any) -> TestResponse:
        """Do something to a report as its page's form would: with the version that is shown now."""
        return self.post(f"/admin/reports/{report.number}/do/{action}", **(shown(report) | fields))


def shown(report: Report) -> dict[str, str]:
    """The hidden fields of a form that was opened now."""
    db.session.refresh(report)
    return {"version": str(report.version), "seen": str(report.events[-1].id)}


LogIn = Callable[[str], Person]


@pytest.fixture
def log_in(app: Flask, district: SmallDistrict) -> LogIn:
    """Log somebody in by the name of their part in the small district. (The form itself: test_login.py.)"""

    def start(who: str) -> Person:
        return Person(app).sit_down(district.staff[who])

    return start


@pytest.fixture
def nobody(app: Flask) -> Person:
    return Person(app)


def words_of(answer: TestResponse) -> str:
    """The text of a page without its tags."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))
