"""Door 2: residents' mobile pages, facility pages and the JSON API."""

from __future__ import annotations

from flask import Flask

from citizen import api, facility_frame, failures, pages, report_page, showing, wechat_browser, wechat_login
from citizen import device_api as device_api  # adds its addresses to the API
from citizen import facility_page as facility_page  # adds its addresses to the door
from citizen import facility_staff as facility_staff
from citizen import jssdk as jssdk  # adds its address to the API
from district.frame.http import csrf


def register(app: Flask) -> None:
    """Add this door to the application.

    The residents' forms carry the report's own key (or file anonymously) instead of leaning on a session, so a
    forged request gains nothing and a form left open for a day still works: they need no CSRF token. What staff
    do here (the facility's log) leans on their session, and is protected.
    """
    app.register_blueprint(pages.pages)
    app.register_blueprint(report_page.pages)
    app.register_blueprint(facility_frame.door)
    app.register_blueprint(api.api)
    wechat_login.register(app)
    wechat_browser.register(app)
    csrf.exempt(api.api)
    csrf.exempt(report_page.pages)
    residents_forms = ("pages.file_report", "pages.forget_mine", "facility_page.report_here", "facility_page.join_here")
    for view in residents_forms:
        csrf.exempt(f"citizen.{view}")
    showing.register(app)
    failures.register(app)
