"""Pages as people meet them in the middle of something: forms that were refused, dialogs that are open, menus that are
unfolded, results of what was sent. Each leaves a page behind that is then looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyotp

from tests.support.browser import Watched

if TYPE_CHECKING:
    from playwright.sync_api import Page

Act = Callable[[Watched, dict[str, str], str], None]


def _open(path: str) -> Act:
    def act(watched: Watched, made: dict[str, str], size: str) -> None:
        watched.open(path.format(**made))

    return act


def _unfold(path: str, summary: str) -> Act:
    """Open what is folded."""

    def act(watched: Watched, made: dict[str, str], size: str) -> None:
        page = watched.open(path.format(**made))
        page.locator(summary).locator("visible=true").first.click()

    return act


def _refused(path: str, form: str, **fields: str) -> Act:
    """Send a form that is not ready, as a browser without its own checks does: the page says what is missing."""

    def act(watched: Watched, made: dict[str, str], size: str) -> None:
        page = watched.open(path.format(**made))
        page.evaluate("for (const one of document.forms) one.noValidate = true")
        for name, value in fields.items():
            page.fill(f"{form} [name={name}]", value)
        page.locator(f"{form} button[type=submit]").locator("visible=true").last.click()
        page.wait_for_selector(".field-error, .notice-bad, .wrong, .notice.bad")

    return act


def _keys(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")


def _photo(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open(f"/admin/reports/{made['n_closed']}")
    page.locator("[data-lightbox]").first.click()
    page.wait_for_selector("dialog.lightbox[open]")


def _menu(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/district")
    if size == "phone":
        page.locator(".more-menu > summary").click()
    for summary in page.locator(".door-group:not([open]) > summary").locator("visible=true").all()[::-1]:
        summary.click()


def _colleagues(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open(f"/admin/reports/{made['n_co']}/do/comment")
    page.locator("details.mentions > summary").click()


def _where(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/where")
    page.locator("#main form textarea").first.fill("路灯不亮了，晚上黑得看不见路")
    page.locator("#main form button[type=submit]").first.click()
    page.wait_for_selector(".where-answer")


def _rule_tried(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/rules/one/R069")
    page.locator(".rule-do button[type=submit]").first.click()
    page.wait_for_selector(".rule-trial")


def _call(watched: Watched, made: dict[str, str], size: str) -> None:
    """A number to read out."""
    page = watched.open("/admin/reports/new")
    page.fill("#main textarea[name=description]", "路口积水，车过不去")
    page.locator("#main .bar-form button[type=submit]").click()
    page.wait_for_selector(".filed-number")


def codes_set_up(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/account")
    page.locator("form[action$='/account/codes'] button").click()
    page.wait_for_selector(".codes-square svg")


def codes_wrong(watched: Watched, made: dict[str, str], size: str) -> None:
    codes_set_up(watched, made, size)
    page = watched.page
    page.fill("#code", "000000")
    page.press("#code", "Enter")
    page.wait_for_selector(".field-error")


def codes_done(watched: Watched, made: dict[str, str], size: str) -> None:
    """The recovery codes, once; afterwards this account logs in with a code, which is switched off again."""
    codes_set_up(watched, made, size)
    page = watched.page
    secret = re.sub(r"\s", "", page.inner_text(".link-box"))
    page.fill("#code", pyotp.TOTP(secret).now())
    page.press("#code", "Enter")
    page.wait_for_selector(".recovery")
    made["recovery"] = page.locator(".recovery > *").first.inner_text()


def code_asked(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/account")
    page.evaluate("document.querySelector(\"form[action$='/logout']\").submit()")
    page.wait_for_selector("[name=username]")
    page.fill("[name=username]", "acceptor3")
    page.fill("[name=password]", "bihuan-demo")
    page.press("[name=password]", "Enter")
    page.wait_for_selector("[name=code]")


def code_wrong(watched: Watched, made: dict[str, str], size: str) -> None:
    watched.page.fill("[name=code]", "123456")
    watched.page.press("[name=code]", "Enter")
    watched.page.wait_for_selector(".field-error, .notice-bad")


def code_given(watched: Watched, made: dict[str, str], size: str) -> None:
    """A code that was written down; a figure of the app opens only once."""
    watched.page.fill("[name=code]", made["recovery"])
    watched.page.press("[name=code]", "Enter")
    watched.page.wait_for_selector(".tabs")


def codes_off(watched: Watched, made: dict[str, str], size: str) -> None:
    page = watched.open("/admin/account")
    page.fill("[name=old_for_codes]", "bihuan-demo")
    page.press("[name=old_for_codes]", "Enter")
    page.wait_for_selector("form[action$='/account/codes'] button")


def _invited(watched: Watched, made: dict[str, str], size: str) -> None:
    """Where a new colleague chooses a password: the link is shown once."""
    page = watched.open("/admin/staff?q=acceptor2")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("form[action$='/password-link'] button").first.click()
    link = page.locator(".link-box").first
    link.wait_for()
    made["password_link"] = link.inner_text().partition("/admin/")[2]


def _password(watched: Watched, made: dict[str, str], size: str) -> None:
    watched.open(f"/admin/{made['password_link']}")


def _chat(press: str, wait_for: str) -> Act:
    """The chat window after the first words, with something of it open."""

    def act(watched: Watched, made: dict[str, str], size: str) -> None:
        page: Page = watched.open("/chat")
        # The button to follow is there until the window knows what was said before.
        watched.settled()
        if page.locator("#follow").is_visible():
            page.click("#follow")
            page.wait_for_selector("#log .row")
        if press.endswith("-tile"):
            page.click("#plus")
        page.click(press)
        page.wait_for_selector(wait_for)

    return act


# Whose page it is, and how one gets there, in this order.
STATES: dict[str, dict[str, Act]] = {
    "": {
        "login refused": _refused("/admin/login", "form", username="desk", password="wrong"),
        "report form refused": _refused("/report", "main form"),
        "report closed and rated": _open("/r/{n_closed}?key={k_closed}"),
        "report with a question": _open("/r/{n_asked}?key={k_asked}"),
        "report not accepted": _open("/r/{n_rejected}?key={k_rejected}"),
        "report of somebody else": _open("/r/{n_co}"),
        "number not found": _open("/r?number=BH20260101-0001"),
        "chat, place": _chat("#place-tile", "#place-sheet[open]"),
        "chat, scan": _chat("[data-scan]", "#scan-sheet[open]"),
        "chat, people": _chat("#people", "#people-sheet[open]"),
        "chat, more": _chat("#plus", "#panel:not([hidden])"),
    },
    "desk": {
        "keys": _keys,
        "photo in full": _photo,
        "menu": _menu,
        "filters": _unfold("/admin/?tab=all", "#filters > summary"),
        "nothing found": _open("/admin/?tab=all&q=zzzz"),
        "saved lists": _unfold("/admin/?tab=all", "details.saved > summary"),
        "closed report": _open("/admin/reports/{n_closed}"),
        "report with parts": _open("/admin/reports/{n_co}"),
        "report handed back": _open("/admin/reports/{n_handed_back}"),
        "report with a question": _open("/admin/reports/{n_asked}"),
        "suspended report": _open("/admin/reports/{n_suspended}"),
        "assign": _open("/admin/reports/{n_triage}/do/assign"),
        "assign refused": _refused("/admin/reports/{n_triage}/do/assign", "#sheet form"),
        "reject refused": _refused("/admin/reports/{n_triage}/do/reject", "#sheet form"),
        "reply": _open("/admin/reports/{n_assigned}/do/reply"),
        "split": _open("/admin/reports/{n_split}/do/split"),
        "rule on a hand-back": _open("/admin/reports/{n_handed_back}/do/uphold_hand_back"),
        "grant more time": _open("/admin/reports/{n_extension}/do/grant_extension"),
        "colleagues": _colleagues,
        "bulk": _open("/admin/bulk?do=assign&row={n_triage}&row={n_more}&row={n_closed}"),
        "bulk merge": _open("/admin/bulk?do=merge&row={n_triage}&row={n_more}"),
        "bulk refused": _refused("/admin/bulk?do=assign&row={n_triage}&row={n_more}", ".bulk-form"),
        "bulk result": _open("/admin/bulk/{bulk}"),
        "where it would go": _where,
        "call refused": _refused("/admin/reports/new", "#main form"),
        "call filed": _call,
        "no such page": _open("/admin/nothing-here"),
        "not allowed": _open("/admin/rules/new"),
    },
    "hw": {
        "field": _unfold("/admin/field", ".fm-act summary"),
        "resolve refused": _refused("/admin/reports/{n_extension}/do/resolve", "#sheet form"),
    },
    "admin": {
        "staff refused": _refused("/admin/staff/new", "#main form"),
        "invitation": _invited,
        "password": _password,
        "staff, what is seen": _unfold("/admin/staff/2", "details.fold > summary"),
        "rule refused": _refused("/admin/rules/new", ".rule-form"),
        "rule tried": _rule_tried,
        "rules, what is wrong": _unfold("/admin/rules", ".rule-found summary"),
        "rights, one table": _unfold("/admin/rights", ".rights-fold > summary, .rights-title"),
        "template refused": _refused("/admin/reply-templates/new", "form.reply-editor"),
        "password refused": _refused("/admin/account", "form[action$='/password']"),
        "numbers by street": _open("/admin/numbers?by=street"),
        "numbers as a table": _unfold("/admin/numbers", "details.fold > summary"),
        "log of one account": _open("/admin/audit?what=list"),
        "nothing in the log": _open("/admin/audit?report=nothing"),
    },
    "acceptor3": {
        "codes": codes_set_up,
        "code refused": codes_wrong,
        "codes on": codes_done,
        "account with codes": _open("/admin/account"),
        "code asked at the login": code_asked,
        "code refused at the login": code_wrong,
        "code given": code_given,
        "codes off": codes_off,
    },
}
