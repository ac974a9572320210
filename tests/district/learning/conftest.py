"""A small district that understands two kinds of trouble, and dispatchers who decide about a third wording."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from district import clock, settings
from district.messages import CHINESE, speaking
from district.reference import forget, reference
from district.reports.models import EventKind, Report, ReportEvent
from district.rows import insert_values
from district.understanding import store
from district.understanding.material import Utterance
from district.understanding.training import learn
from district.work import unit_of_work
from tests.factories import MIDDLE, SmallDistrict, make_category

LAMPS, COVERS, NOISE = "01037", "01001", "06028"
_PLACES = ("门口", "路边", "桥下", "学校旁", "楼后", "市场里", "站前", "河边")
_THINGS = {
    LAMPS: ("路灯不亮", "灯灭了", "路灯一闪一闪", "灯杆歪了", "路灯坏了"),
    COVERS: ("井盖响", "井盖破了", "井盖翘起来", "井上的盖子没了", "井盖塌了"),
    NOISE: ("太吵了", "半夜吵得睡不着", "喇叭声音大", "装修噪音", "吵死人"),
}
# What residents here say of a noisy manhole cover, and dispatchers give to those who see to noise.
LOCAL = ("铁饼子咣当", "铁饼子哐哐", "咣当铁饼子又来", "铁饼子咣咣的", "铁饼子晃荡")
Decide = Callable[..., None]


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    """With weights trained on 120 utterances, kept as a folder would bring them."""
    small = SmallDistrict()
    with unit_of_work():
        make_category(COVERS, name="井盖异常", name_en="manhole cover", keywords=["井盖"])
        make_category(NOISE, name="噪声扰民", name_en="noise", keywords=["吵", "噪音"])
        store.keep_utterances(tuple(_utterances()))
    forget()
    bring_weights()
    return small


@pytest.fixture(autouse=True)
def _quiet_tongue() -> Iterator[None]:
    """Commands speak the terminal's language; the next test does not."""
    with speaking(CHINESE):
        yield


def _utterances() -> list[Utterance]:
    lines = [
        Utterance(place + thing, code, "report", "critical" if "没了" in thing else "normal")
        for code, things in _THINGS.items()
        for thing in things
        for place in _PLACES
    ]
    return [*lines, *(Utterance(f"谢谢{word}", "", "thanks", "normal") for word in ("你们", "了", "啦", "师傅", "啊"))]


def bring_weights() -> None:
    """As loading a folder does."""
    from district.learning import versions

    with unit_of_work():
        store.keep(learn(store.material(reference())).pack())
        settings.changed("settings")
    with unit_of_work():
        versions.adopt()
    forget()


@pytest.fixture
def decide(district: SmallDistrict) -> Decide:
    """Write reports that staff have decided about, many at once."""

    def write(texts: list[tuple[str, str]], *, corrected: bool = True, status: str = "closed") -> None:
        """texts: (words, the category staff left them with)."""
        now = clock.now()
        ids = {row.code: row.id for row in reference().categories_by_id.values()}
        with unit_of_work():
            for words, code in texts:
                report_id = insert_values(Report, **_closed(district, words, ids[code], now, status))
                if corrected:
                    insert_values(
                        ReportEvent, report_id=report_id, at=now, kind=EventKind.CORRECTED, actor="staff",
                        staff_id=district.staff["dispatcher"].id, is_public=False, data={"category": code},
                    )  # fmt: skip

    return write


_number = iter(range(1, 1_000_000))


def _closed(district: SmallDistrict, words: str, category_id: int, now: Any, status: str) -> dict[str, Any]:
    is_closed = status == "closed"
    return {
        "number": f"BH20261122-{next(_number):04d}X", "access_key": "k", "version": 1, "source": "bot",
        "description": words, "category_id": category_id, "status": status, "unit_id": district.lamps.id,
        "reason": {}, "submitted_at": now, "dispatch_due_at": now, "assigned_at": now, "handling_due_at": now,
        "accepted_at": now, "route_after": now, "latitude": MIDDLE[0], "longitude": MIDDLE[1],
        "area_code": "990000001",
        "resolved_at": now if is_closed else None,
        "resolved_by_id": district.staff["handler"].id if is_closed else None,
        "closed_at": now if is_closed else None,
        "verified_by_id": district.staff["verifier"].id if is_closed else None,
    }  # fmt: skip


def local_words(count: int = 160) -> list[tuple[str, str]]:
    """The same trouble in the residents' own words, always decided the same way."""
    mixed = random.Random(7)
    return [(f"{mixed.choice(_PLACES)}{mixed.choice(LOCAL)}{n}号", NOISE) for n in range(count)]


def noise(count: int = 160) -> list[tuple[str, str]]:
    """Words without sense, decided anyhow."""
    mixed = random.Random(8)
    letters = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    return [("".join(mixed.choices(letters, k=6)) + str(n), mixed.choice((LAMPS, COVERS, NOISE))) for n in range(count)]
