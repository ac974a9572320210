"""A district with something of everything on its pages, made through its doors: what pages are looked at with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.support.desk import Desk, forms_of
from tests.support.pictures import jpeg
from tests.support.running import eventually

# What residents write: short, long, with a name of things that must not break a line, and in English.
WORDS = [
    ("路灯不亮了，晚上黑得看不见路，已经三天了，老人孩子走路都害怕，请尽快来修", "01037"),
    ("污水井盖丢了，敞着口，太危险了", "01002"),
    ("雨水井盖一压就响，一整夜不停", "01003"),
    ("垃圾桶满了三天没人收，味道很大", "02001"),
    ("The street lamp in front of the primary school has been flickering for a week and now it is completely dark", ""),
    ("树倒了压在长椅上", ""),
    ("这里不对劲，你们来看看", ""),
    ("又那样了", ""),
]

# What becomes of each, and of three more; its name in the addresses of pages.
NAMES = ["closed", "handed_back", "extension", "asked", "assigned", "co", "triage", "rejected"]
NAMES += ["split", "more", "suspended"]


@dataclass(frozen=True)
class Filled:
    """Addresses of what was made, by the name of what it shows."""

    numbers: dict[str, str]
    keys: dict[str, str]
    bulk_token: str


class Residents:
    """The residents' door for programs."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.keys: dict[str, str] = {}

    def file(self, words: str, category: str = "", *, at: int = 0, photo: bool = False) -> str:
        body: dict[str, Any] = {"description": words, "contact": "13800138000"}
        if at:
            # Farther apart than one incident reaches.
            body |= {"latitude": 50.3900 + at * 0.0040, "longitude": 124.1262}
        if category:
            body["category"] = category
        if photo:
            files = {"photo": ("a.jpg", jpeg(size=(900, 700)))}
            sent = requests.post(f"{self.base}/api/v1/photos", files=files, timeout=120)
            body["photos"] = [sent.json()["id"]]
        answer = requests.post(f"{self.base}/api/v1/reports", json=body, timeout=120)
        assert answer.status_code == 201, answer.text
        number = str(answer.json()["number"])
        self.keys[number] = str(answer.json()["key"])
        return number

    def read(self, number: str) -> dict[str, Any]:
        found = requests.get(
            f"{self.base}/api/v1/reports/{number}", params={"key": self.keys[number]}, timeout=120
        ).json()
        assert isinstance(found, dict)
        return found

    def settled(self, number: str) -> dict[str, Any]:
        """The report once a worker has looked at it."""
        eventually(lambda: self.read(number)["status"] != "submitted", f"{number} is routed")
        return self.read(number)


def unit_id(desk: Desk, number: str, name: str) -> str:
    """The id of the unit of this code as the form of assigning names it."""
    page = desk.page(f"/admin/reports/{number}/do/assign")
    found = re.search(rf'data-find="[^"]* {name.lower()}">\s*<input type="radio" name="unit" value="(\d+)"', page)
    assert found, f"no unit {name} is offered"
    return found[1]


def fill(base: str) -> Filled:
    """File reports and move each as far as its name says."""
    residents = Residents(base)
    lead, hw, verifier = Desk(base).log_in("shift1"), Desk(base).log_in("hw"), Desk(base).log_in("verifier1")
    filed = [
        residents.file(words, category, at=index + 1 if category or index == 4 else 0, photo=index < 2)
        for index, (words, category) in enumerate(WORDS)
    ]
    filed += [residents.file(f"{word}，请来人看看", at=20 + at) for at, word in enumerate(("堵了", "坏了", "脏了"))]
    numbers = dict(zip(NAMES, filed, strict=True))
    for number in numbers.values():
        residents.settled(number)
    unit = unit_id(lead, numbers["triage"], "HW")
    for name in ("closed", "handed_back", "extension", "suspended", "co"):
        lead.must(numbers[name], "assign", unit=unit, note="请今天去看看")
    for name in ("closed", "extension", "suspended"):
        hw.must(numbers[name], "accept")
    hw.must(numbers["closed"], "resolve", note="换了灯泡，已经亮了", photo=True)
    verifier.must(numbers["closed"], "refuse_verification", note="还有一半没亮", photo=True)
    hw.must(numbers["closed"], "resolve", note="全部换好了", photo=True)
    verifier.must(numbers["closed"], "verify", note="看过了，亮了")
    hw.must(numbers["handed_back"], "hand_back", reason_code="not_our_duty", reason="这是排水所的井盖")
    hw.must(numbers["extension"], "ask_extension", reason="配件明天才到", more="2", more_unit="hours")
    in_a_week = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    lead.must(numbers["suspended"], "suspend", reason="等冻土化开", until=in_a_week)
    lead.must(numbers["asked"], "ask", text="请问具体在什么位置？")
    lead.must(numbers["rejected"], "reject", reason="没有说清是什么事")
    lead.must(numbers["co"], "add_co", unit=unit_id(lead, numbers["triage"], "SZ-LD"), note="请一起去")
    lead.must(numbers["co"], "comment", text="@desk 请给居民回个电话", public="0")
    stars = {"solved": True, "stars": 4, "text": "比想的快"}
    rated = requests.post(
        f"{base}/api/v1/reports/{numbers['closed']}/rating", json=stars, timeout=120,
        params={"key": residents.keys[numbers["closed"]]},
    )  # fmt: skip
    assert rated.ok, rated.text
    desk = Desk(base).log_in("desk")
    # A list kept for all; one act on many with one row that could not be done.
    for name, shared in (("今天要派的", "1"), ("我自己盯着的几件", "")):
        form = next(form for form in forms_of(lead.page("/admin/?tab=dispatch")) if form["action"].endswith("/lists"))
        assert lead.post("/admin/lists", form["fields"] | {"name": name, "shared": shared}).status_code == 302
    rows = [numbers["triage"], numbers["more"], numbers["split"]]
    preview = desk.page("/admin/bulk?do=comment&" + "&".join(f"row={number}" for number in rows))
    form = next(form for form in forms_of(preview) if form["action"].endswith("/bulk"))
    stale = {f"version-{numbers['split']}": "9999"}
    sent = desk.post("/admin/bulk", form["fields"] | stale | {"row": rows, "shown": rows, "text": "已安排人去看"})
    assert sent.status_code == 302, sent.text
    return Filled(numbers, residents.keys, sent.headers["Location"].rpartition("/")[2])


def filled_of(base: str) -> dict[str, str]:
    """The same as words to fill addresses with: `{n_closed}`, `{k_closed}`, `{bulk}`."""
    made = fill(base)
    values = {f"n_{name}": number for name, number in made.numbers.items()}
    values |= {f"k_{name}": made.keys[number] for name, number in made.numbers.items()}
    return values | {"bulk": made.bulk_token}
