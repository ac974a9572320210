"""A night's learning: what is consistent is learnt, what is not is refused, and everybody can go back."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from district import cli, clock, jobs, settings
from district.errors import NotAllowed, NotFound, WrongState
from district.extensions import db
from district.learning import lessons, runs, study, versions
from district.learning.models import LearningRun, ModelState, ModelUse, ModelVersion
from district.learning.study import Verdict
from district.people.models import AuditEntry
from district.reference import forget, reference
from district.understanding import store, understand
from district.understanding.personal import without_personal
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.learning.conftest import COVERS, NOISE, Decide, bring_weights, local_words, noise
from tests.factories import SmallDistrict

NIGHT = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)  # half past three in the district


def top(words: str) -> str:
    return next(iter(understand(words, reference()).candidates), ("", 0.0))[0]


def in_use() -> ModelVersion | None:
    return db.session.scalar(select(ModelVersion).where(ModelVersion.state == ModelState.IN_USE))


@both_databases
def test_what_dispatchers_always_correct_the_same_way_is_learnt(district: SmallDistrict, decide: Decide) -> None:
    words = "桥头铁饼子咣当咣当"
    assert top(words) != NOISE
    decide(local_words())
    learnt = jobs.learn_now()
    figures = learnt.studied.figures
    assert (learnt.studied.verdict, learnt.kept and learnt.kept.state) == (Verdict.BETTER, "in_use")
    assert figures["after_top1"] > 0.9 > figures["before_top1"]
    assert figures["critical_after"] == figures["critical_before"] == 1.0
    assert top(words) == NOISE
    # What was known is known still.
    assert top("门口井盖响") == COVERS
    assert understand("谢谢师傅", reference()).intent == "thanks"
    now_used = in_use()
    assert now_used is not None
    assert now_used.trained_on["corrected"] > 100
    assert settings.get(store.STAMP)["digest"] == now_used.digest
    # The same decisions teach nothing new.
    assert jobs.learn_now().studied.verdict == Verdict.NOTHING_NEW


def test_noise_is_not_promoted_and_the_reason_is_kept(district: SmallDistrict, decide: Decide) -> None:
    before = (in_use() or pytest.fail("none")).id
    decide(noise())
    learnt = jobs.learn_now()
    assert learnt.studied.verdict in (Verdict.NOT_BETTER, Verdict.CHANCE, Verdict.FORGETS)
    refused = db.session.scalar(select(ModelVersion).where(ModelVersion.state == ModelState.REFUSED))
    assert refused is not None
    assert (refused.why["key"], refused.packed) == (f"learning.verdict.{learnt.studied.verdict}", None)
    assert (in_use() or pytest.fail("none")).id == before


def test_too_few_decisions_train_nothing(district: SmallDistrict, decide: Decide) -> None:
    decide(local_words(20))
    learnt = jobs.learn_now()
    assert (learnt.studied.verdict, learnt.studied.weights) == (Verdict.FEW, None)
    with unit_of_work():
        settings.put(store.UTTERANCES, [])
    decide(local_words())
    assert jobs.learn_now().studied.verdict == Verdict.NO_UTTERANCES


def test_only_what_was_decided_teaches(district: SmallDistrict, decide: Decide) -> None:
    decide([("铁饼子坏了吧", COVERS)] * 3, corrected=False, status="in_progress")
    assert lessons.gather(reference()).counts["decisions"] == 0
    decide([("铁饼子坏了吗", COVERS)], corrected=False)
    decide([("铁饼子坏了呢", COVERS)], corrected=True, status="in_progress")
    found = lessons.gather(reference())
    everything = {one.text: one.is_corrected for one in (*found.taught, *found.held_back)}
    assert everything == {"铁饼子坏了吗": False, "铁饼子坏了呢": True}


def test_what_judges_never_teaches(district: SmallDistrict, decide: Decide) -> None:
    decide(local_words())
    found = lessons.gather(reference())
    assert found == lessons.gather(reference())
    assert {one.report_id for one in found.taught}.isdisjoint(one.report_id for one in found.held_back)
    assert {one.text for one in found.taught}.isdisjoint(one.text for one in found.held_back)
    assert 20 < len(found.held_back) < 60


@both_databases
def test_one_click_leads_back_and_the_night_respects_it(district: SmallDistrict, decide: Decide) -> None:
    first = in_use()
    assert first is not None
    first_id = first.id
    decide(local_words())
    second_id = (jobs.learn_now().kept or pytest.fail("nothing kept")).version
    assert second_id is not None
    boss = district.staff["administrator"]
    with pytest.raises(NotAllowed), unit_of_work():
        versions.put_in_use(first_id, by=district.staff["handler"])
    with unit_of_work():
        versions.put_in_use(first_id, by=boss)
    forget()
    assert top("桥头铁饼子咣当咣当") != NOISE
    assert (in_use() or pytest.fail("none")).id == first_id
    entry = db.session.scalar(select(AuditEntry).where(AuditEntry.action == "model.use"))
    assert entry is not None
    assert (entry.subject, entry.staff_id) == (f"model:{first_id}", boss.id)
    # Whatever the next night learns waits for a person now.
    decide([(f"{words}啊", code) for words, code in local_words(40)])
    kept = jobs.learn_now().kept
    assert kept is not None
    assert kept.state == ModelState.CANDIDATE
    assert kept.why["key"] == "learning.verdict.stepped_back"
    with unit_of_work():
        versions.put_in_use(kept.version or 0, by=boss)
    assert not versions.is_stepped_back()
    with pytest.raises(WrongState), unit_of_work():
        versions.put_in_use(kept.version or 0, by=boss)
    with pytest.raises(NotFound), unit_of_work():
        versions.put_in_use(9999, by=boss)
    assert [use[0] for use in versions.uses()] == [kept.version, first_id, second_id, first_id]


def test_a_training_that_was_overtaken_waits_for_a_person(district: SmallDistrict, decide: Decide) -> None:
    decide(local_words())
    studied = study.study(lessons.gather(reference()), reference())
    with unit_of_work():
        settings.put(store.UTTERANCES, settings.get(store.UTTERANCES)[3:])
    bring_weights()
    with unit_of_work():
        kept = versions.keep(studied)
    assert (kept.state, kept.why["key"]) == (ModelState.CANDIDATE, "learning.verdict.changed")


def test_weights_of_a_folder_become_a_version(district: SmallDistrict) -> None:
    first = in_use()
    assert first is not None
    assert (first.origin, first.trained_on) == ("folder", {"utterances": 125})
    with unit_of_work():
        settings.put(store.UTTERANCES, settings.get(store.UTTERANCES)[3:])
    bring_weights()
    db.session.refresh(first)
    assert first.state == ModelState.RETIRED
    assert db.session.scalars(select(ModelUse.version_id)).all() == [first.id, first.id + 1]
    with unit_of_work():
        store.drop()
    with unit_of_work():
        assert versions.adopt() is None
    assert in_use() is None


def test_a_trial_changes_nothing(app: Flask, district: SmallDistrict, decide: Decide) -> None:
    decide(local_words())
    run = app.test_cli_runner().invoke(args=["district", "learn", "--dry-run", "--json"])
    answer = json.loads(run.stdout)
    assert (answer["verdict"], answer["version"], answer["state"]) == ("better", None, None)
    assert answer["figures"]["gained"] > 10
    assert len(db.session.scalars(select(ModelVersion)).all()) == 1
    run = app.test_cli_runner().invoke(args=["district", "learn"])
    assert run.exit_code == 0
    assert "版本 2" in run.stdout or "version 2" in run.stdout


JUST_BETTER = {
    "critical_before": 1.0, "critical_after": 1.0, "shipped_before": 0.64, "shipped_after": 0.635,
    "before_top1": 0.7, "after_top1": 0.8, "gained": 8, "lost": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ({}, Verdict.BETTER),
        ({"critical_after": 0.99}, Verdict.CRITICAL),
        ({"shipped_after": 0.62}, Verdict.FORGETS),
        ({"gained": 3, "lost": 1}, Verdict.NOT_BETTER),
        ({"after_top1": 0.705}, Verdict.NOT_BETTER),
        ({"gained": 20, "lost": 15}, Verdict.CHANCE),
    ],
)
def test_better_means_better_everywhere_and_beyond_chance(other: dict[str, float], verdict: str) -> None:
    assert study._judge(JUST_BETTER | other) == verdict


# Nights


@both_databases
def test_two_schedulers_learn_once(district: SmallDistrict, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(jobs, "ring", lambda name, **_: rung.append(name) or True)
    with clock.frozen_at(NIGHT - timedelta(hours=2)):
        jobs.learn_nightly()
        jobs.learn()
    assert rung == []
    with clock.frozen_at(NIGHT):
        jobs.learn_nightly()
        jobs.learn_nightly()
        assert rung == ["learn", "learn"]
        jobs.learn()
        jobs.learn()
        jobs.learn_nightly()
    assert rung == ["learn", "learn"]
    (run,) = db.session.scalars(select(LearningRun)).all()
    assert (run.night, run.tries, run.outcome["key"]) == ("2026-11-23", 1, "learning.verdict.few")


@both_databases
def test_one_of_two_who_claim_a_night_gets_it(district: SmallDistrict) -> None:
    with clock.frozen_at(NIGHT):
        with unit_of_work():
            assert runs.claim() == "2026-11-23"
        with unit_of_work():
            assert runs.claim() is None
    # Whoever took it was killed: somebody else tries again, but not for ever.
    for later in (1, 2, 3):
        with clock.frozen_at(NIGHT + timedelta(minutes=31 * later)), unit_of_work():
            assert runs.claim() == ("2026-11-23" if later < 3 else None)
    with clock.frozen_at(NIGHT + timedelta(days=1)), unit_of_work():
        assert runs.claim() == "2026-11-24"


@both_databases
def test_at_the_same_moment_one_of_two_gets_the_night(app: Flask, district: SmallDistrict) -> None:
    start = threading.Barrier(2)

    def claim(_: int) -> str | None:
        with app.app_context(), clock.frozen_at(NIGHT):
            runs.night_of(clock.now())
            start.wait(timeout=30)
            with unit_of_work():
                return runs.claim()

    with ThreadPoolExecutor(2) as pool:
        claimed = list(pool.map(claim, range(2)))
    assert sorted(claimed, key=str) == ["2026-11-23", None]


def test_a_district_says_when_and_whether(district: SmallDistrict) -> None:
    for given, night in (({"hour": 19}, None), ({"nightly": False}, None), ({"hour": 1}, "2026-11-23")):
        with unit_of_work():
            settings.put("learning", given)
            settings.changed("settings")
        forget()
        assert runs.night_of(NIGHT) == night


def test_a_night_worth_it_is_learnt_in_a_process_of_its_own(
    app: Flask, district: SmallDistrict, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(jobs.subprocess, "Popen", lambda command, **_: started.append(command[-4:]))
    decide(local_words())
    with clock.frozen_at(NIGHT):
        jobs.learn()
        jobs.learn()
    assert started == [["district", "learn", "--night", "2026-11-23"]]
    assert (runs.last_run() or pytest.fail("no run")).ended_at is None
    # What that process does.
    monkeypatch.setattr(cli, "_work_aside", lambda: None)
    assert app.test_cli_runner().invoke(args=started[0]).exit_code == 0
    db.session.rollback()
    run = runs.last_run()
    assert run is not None
    assert run.ended_at is not None
    assert run.outcome == {"key": "learning.verdict.better", "params": {}, "version": 2}


# Personal data


def test_nothing_personal_is_kept(district: SmallDistrict, decide: Decide) -> None:
    told = "，打我电话13812345678，我叫欧阳翠花，住紫荆苑"
    words = local_words()
    words[:6] = [(f"{said}{told}", code) for said, code in words[:6]]
    # One household writes again and again: what only one says is not learnt, however often.
    decide(words)
    with unit_of_work():
        db.session.execute(text("update report set resident_id = :id where description like '%欧阳%'"),
                           {"id": district.resident.id})  # fmt: skip
    found = lessons.gather(reference())
    for one in (*found.taught, *found.held_back):
        assert "1381" not in one.text
        assert "翠花" not in one.text
    learnt = jobs.learn_now()
    assert learnt.kept is not None
    assert learnt.kept.state == "in_use"
    version = in_use()
    assert version is not None
    assert learnt.studied.weights is not None
    features = " ".join(feature for feature, _ in learnt.studied.weights.rows_of("category"))
    assert "铁饼" in features
    rows = (
        db.session.execute(text("select * from unit_habit")).all()
        + db.session.execute(text("select outcome from learning_run")).all()
    )
    kept = json.dumps([version.trained_on, version.figures, version.why]) + str(rows) + features
    for personal in ("1381", "5678", "翠花", "欧阳", "紫荆"):
        assert personal not in kept


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("路灯不亮，电话13800138000", "路灯不亮，电话"),
        ("井盖坏了 0457-5551234", "井盖坏了"),
        ("我叫王小明，井盖坏了", "井盖坏了"),
        ("找张先生，灯不亮", "灯不亮"),
        ("黑P12345占道了", "占道了"),
        ("加我微信号abc_12345，水管漏", "加我，，水管漏"),
        ("a.b@example.com lamp is out", "lamp is out"),
        ("打幺三八零零一三八零零零，灯坏了", "打，，灯坏了"),
        ("3号楼2单元下水道堵了", "3号楼2单元下水道堵了"),
        ("BH20261122-0042K 还没修", "还没修"),
    ],
)
def test_what_points_to_a_person_is_left_out(text: str, left: str) -> None:
    assert without_personal(text) == left
