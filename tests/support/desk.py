"""A member of staff at the panel: reads pages, fills forms, presses buttons. Knows HTTP only."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import requests

from tests.support.pictures import jpeg


class _Forms(HTMLParser):
    """Every form of a page with what it would send untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "method": given.get("method", "get"), "fields": {}})
        elif tag in ("input", "textarea") and self.forms and given.get("name"):
            chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if chosen and given.get("type") != "file":
                self.forms[-1]["fields"][given["name"]] = given.get("value", "")


def forms_of(page: str) -> list[dict[str, Any]]:
    reader = _Forms()
    reader.feed(page)
    return reader.forms


class Desk:
    """One browser with its cookies."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False

    def log_in(self, username: str, password: str = "bihuan-demo") -> Desk:
        page = self.get("/admin/login")
        form = next(form for form in forms_of(page.text) if form["action"].endswith("/login"))
        answer = self.post("/admin/login", form["fields"] | {"username": username, "password": password})
        assert answer.status_code == 302, f"{username} cannot log in: {answer.status_code}"
        return self

    def get(self, path: str, **given: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=120, allow_redirects=False, **given)

    def post(self, path: str, fields: dict[str, Any], **given: Any) -> requests.Response:
        return self.session.post(self.base + path, data=fields, timeout=120, allow_redirects=False, **given)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
        answer.encoding = "utf-8"
        return answer.text

    def buttons(self, number: str) -> set[str]:
        """What this person can do to a report: the actions its page links to."""
        page, mark = self.page(f"/admin/reports/{number}"), f"/admin/reports/{number}/do/"
        return {part.split('"')[0].split("?")[0] for part in page.split(mark)[1:]}

    def do(self, number: str, action: str, *, photo: bool = False, **fields: Any) -> requests.Response:
        """Open the form of an action, fill it in and send it."""
        path = f"/admin/reports/{number}/do/{action}"
        form = next(form for form in forms_of(self.page(path)) if form["action"].endswith(path))
        assert form["method"] == "post"
        assert form["fields"].get("csrf_token")
        files = [("photos", ("after.jpg", jpeg(colour=(10, 160, 10)), "image/jpeg"))] if photo else []
        return self.post(path, form["fields"] | fields, files=files or [("photos", ("", b"", "image/jpeg"))])

    def press(self, page: str, action: str, **fields: Any) -> int:
        """Send the form of a page that leads to `action`; the status of the answer."""
        form = next(form for form in forms_of(self.page(page)) if form["action"].endswith(action))
        return self.post(action, form["fields"] | fields).status_code

    def force(self, number: str, action: str, **fields: Any) -> int:
        """Send what no button offers; the status of the answer."""
        path = f"/admin/reports/{number}/do"
        form = next(
            form for form in forms_of(self.page(f"{path}/comment")) if form["action"].endswith(f"{path}/comment")
        )
        return self.post(f"{path}/{action}", form["fields"] | fields).status_code

    def must(self, number: str, action: str, **given: Any) -> None:
        """Do it, and be sent back to the report's page."""
        answer = self.do(number, action, **given)
        assert answer.status_code == 302, f"{action} of {number} answers {answer.status_code}: {_said(answer.text)}"
        assert answer.headers["Location"].endswith(f"/admin/reports/{number}")


def _said(page: str) -> str:
    """The words of an alert on a page."""
    part = page.partition('role="alert"')[2][:600]
    return " ".join(part.replace("<", " <").split())
