"""Public addresses, made from PUBLIC_BASE_URL so that jobs can make them too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import current_app

if TYPE_CHECKING:
    from district.reports.models import Report
    from district.reports.service import Filed


def base_url() -> str:
    return str(current_app.config["PUBLIC_BASE_URL"])


def callback() -> str:
    """Where WeChat sends what residents write: the address to enter in its console."""
    return f"{base_url()}/wechat"


def report_page(number: str, access_key: str | None = None) -> str:
    """The report's page; with its key, the resident's private one."""
    address = f"{base_url()}/r/{number}"
    return f"{address}?key={access_key}" if access_key else address


def private_report_page(report: Report | Filed) -> str:
    """The address that opens everything of this report to whoever holds it."""
    return report_page(report.number, report.access_key)


def report_form(**known: str) -> str:
    """The report form with what is known already filled in; empty values are left out."""
    filled = urlencode({name: value for name, value in known.items() if value})
    return f"{base_url()}/report?{filled}" if filled else f"{base_url()}/report"


def facility_page(token: str) -> str:
    return f"{base_url()}/f/{token.lower()}"


def printed_facility_code(token: str) -> str:
    """What a printed code holds: capitals only, so that QR's compact alphanumeric mode applies."""
    return f"{base_url()}/f/{token}".upper()


def password_page(token: str) -> str:
    return f"{base_url()}/admin/password/{token}"


def wall_page(token: str) -> str:
    return f"{base_url()}/admin/wall/{token}"


def staff_report_page(number: str) -> str:
    return f"{base_url()}/admin/reports/{number}"
