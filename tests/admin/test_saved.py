"""Saved lists: one's own, shared ones, and what sharing does not do."""

from __future__ import annotations

from urllib.parse import unquote

from district.reports.states import Status
from tests.admin.conftest import LogIn, words_of
from tests.admin.test_inbox import listed
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report


@both_databases
def test_a_list_is_saved_shared_and_taken_away(district: SmallDistrict, log_in: LogIn) -> None:
    number = make_report(district, Status.ASSIGNED).number
    lead, handler, street = log_in("shift_lead"), log_in("handler"), log_in("street")
    fields = {"tab": "open", "urgency": "normal", "evil": "1", "unit": "no-such"}
    kept = lead.post("/admin/lists", name="一般的", shared="1", **fields)
    assert (kept.status_code, kept.location) == (302, "/admin/?tab=open&order=pressing&urgency=normal")
    assert handler.post("/admin/lists", name="我的", tab="all", q="路灯").status_code == 302

    page = handler.get("/admin/").text
    assert 'href="/admin/?tab=open&amp;order=pressing&amp;urgency=normal">一般的' in page
    assert "q=路灯" in unquote(page)
    assert "q=路灯" not in unquote(lead.get("/admin/").text)
    # Whoever opens a shared list sees in it what they may see.
    assert listed(handler.get(kept.location).text) == [number]
    assert listed(street.get(kept.location).text) == []

    assert street.post("/admin/lists/1/drop").status_code == 404
    for person in (handler, lead):
        ids = [part.split("/")[0] for part in person.get("/admin/").text.split('action="/admin/lists/')[1:]]
        assert len(ids) == 1
        assert person.post(f"/admin/lists/{ids[0]}/drop").status_code == 302
    assert "还没有存过列表" in words_of(handler.get("/admin/"))


def test_only_those_who_may_share_share(district: SmallDistrict, log_in: LogIn) -> None:
    handler = log_in("handler")
    assert handler.post("/admin/lists", name="大家的", shared="1", tab="open").status_code == 403
    assert handler.post("/admin/lists", name=" ", tab="open").status_code == 422
    assert handler.post("/admin/lists", name="字" * 21, tab="open").status_code == 422
    assert "大家的" not in words_of(handler.get("/admin/"))
