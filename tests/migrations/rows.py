"""Rows for each migration: what is there before it, and what must be true of it after.

Write one for every new migration, in plain SQL: the application's models are always of the newest schema. Its name
is `Migration` and the migration's number. A migration without one fails the suite.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, text

NOW = "2026-11-22 03:04:05.000000+00:00"
SQLITE_NOW = "2026-11-22 03:04:05.000000"


class Rows:
    """load: rows before the upgrade. upgraded, downgraded: what must hold after each."""

    def load(self, connection: Connection) -> None: ...

    def upgraded(self, connection: Connection) -> None: ...

    def downgraded(self, connection: Connection) -> None: ...


def insert(connection: Connection, table: str, **values: Any) -> None:
    if connection.dialect.name == "sqlite":
        values = {name: SQLITE_NOW if value == NOW else value for name, value in values.items()}
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"insert into {table} ({columns}) values ({places})"), values)


def count(connection: Connection, table: str, where: str = "true") -> int:
    return int(connection.execute(text(f"select count(*) from {table} where {where}")).scalar_one())


def one_unit_with_staff(connection: Connection) -> None:
    insert(connection, "unit", id=1, code="SZ", name="市政局", kind="municipal", role="handler", area_codes="[]",
           phone="", emergency_phone="", duty_hours="", note="")  # fmt: skip
    for number in (1, 2):
        insert(connection, "staff", id=number, username=f"s{number}", name="某人", unit_id=1, phone="",
               session_epoch=0, created_at=NOW)  # fmt: skip
    insert(connection, "resident", id=1, openid="o1", language="zh-Hans", notice_version=0, is_follower=False,
           window_left=0, first_seen_at=NOW, last_seen_at=NOW)  # fmt: skip


def report(connection: Connection, number: int, status: str, **more: Any) -> None:
    """A report as 0001 wants it; more: the companions of its status."""
    insert(
        connection, "report",
        **{
            "id": number, "number": f"BH20261122-{number:04d}A", "access_key": "k", "source": "bot",
            "language": "zh-Hans", "resident_id": 1, "contact_sealed": "", "description": "路灯不亮",
            "intent": "report", "urgency": "normal", "address": "", "place_source": "", "area_code": "",
            "community_code": "", "grid_code": "", "status": status, "reason": "{}", "hand_back_pending": False,
            "waiting_for_resident": False, "submitted_at": NOW, "dispatch_due_at": NOW, "resolution": "",
            "verification_waived": False, "has_followers": False, "rework_count": 0, "reopen_count": 0,
            "rating_text": "", "route_after": NOW, "route_tries": 0, "version": 1,
        } | more,
    )  # fmt: skip
    insert(connection, "report_event", report_id=number, at=NOW, kind="submitted", actor="resident", note="",
           is_public=True, data="{}")  # fmt: skip
    insert(connection, "notification", resident_id=1, report_id=number, kind="assigned", params="{}", created_at=NOW,
           delivery="queued", tries=0, last_error="")  # fmt: skip


WITH_UNIT = {"unit_id": 1, "assigned_at": NOW, "handling_due_at": NOW}
RESOLVED = WITH_UNIT | {"accepted_at": NOW, "resolved_at": NOW, "resolved_by_id": 1}
CLOSED = RESOLVED | {"closed_at": NOW, "verified_by_id": 2}


class Migration0001(Rows):
    """The first tables: they take rows of every kind, and go away with them."""

    def upgraded(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        report(connection, 2, "closed", **CLOSED)
        assert count(connection, "report_event") == 2

    def downgraded(self, connection: Connection) -> None:
        left = connection.dialect.get_table_names(connection)  # type: ignore[attr-defined]
        assert set(left) <= {"alembic_version"}


class Migration0002(Rows):
    """Each companion of a status has its own rule; every row and everything that hangs on it stays."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        report(connection, 2, "assigned", **WITH_UNIT, hand_back_pending=True)
        report(connection, 3, "closed", **CLOSED, stars=5, solved=True, rated_at=NOW)
        report(connection, 4, "closed", **(RESOLVED | {"closed_at": NOW, "verification_waived": True}))
        report(connection, 5, "withdrawn", hand_back_pending=True)
        report(connection, 6, "merged", parent_id=1)
        for number, report_id in ((1, 2), (2, 5)):
            insert(connection, "hand_back", id=number, report_id=report_id, unit_id=1, reason="不归我们",
                   asked_by_id=1, asked_at=NOW, ruling="")  # fmt: skip
        insert(connection, "photo", token="t", report_id=3, purpose="before", state="lost", tries=1, last_error="",
               created_at=NOW)  # fmt: skip

    def _nothing_is_lost(self, connection: Connection) -> None:
        assert (
            count(connection, "report") == count(connection, "report_event") == count(connection, "notification") == 6
        )
        assert count(connection, "photo", "report_id = 3") == 1
        assert count(connection, "report", "stars = 5 and verified_by_id = 2") == 1
        assert count(connection, "report", "description = '路灯不亮' and version = 1") == 6

    def upgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        # The withdrawn report's hand-back was a question nobody would answer; the assigned one's still is one.
        assert count(connection, "report", "hand_back_pending") == 1
        assert count(connection, "hand_back") == 1

    def downgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)


class Migration0003(Rows):
    """Old rows take no grant, no consent; who was never told of something is told at the next contact."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        insert(connection, "resident", id=2, openid="o2", language="en", notice_version=1, is_follower=True,
               window_left=4, window_until=NOW, first_seen_at=NOW, last_seen_at=NOW)  # fmt: skip
        report(connection, 1, "submitted")
        for delivery in ("failed", "not_possible"):
            insert(connection, "notification", resident_id=2, report_id=1, kind="assigned", params="{}",
                   created_at=NOW, delivery=delivery, tries=1, last_error="no channel")  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "resident", "tap_left = 0 and tap_until is null and web_epoch = 0") == 2
        assert count(connection, "resident", "has_unheard and id = 2") == 1
        assert count(connection, "resident", "has_unheard") == 1
        # The code before this migration goes on writing rows.
        insert(connection, "resident", id=3, openid="o3", language="en", notice_version=1, is_follower=True,
               window_left=0, first_seen_at=NOW, last_seen_at=NOW)  # fmt: skip
        insert(connection, "subscription_grant", resident_id=2, template_id="T", left_over=1, changed_at=NOW)
        insert(connection, "early_verdict", message_id="7", reason="failed:user block", at=NOW)

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "resident", "window_left = 4 and openid = 'o2'") == 1
        assert count(connection, "notification") == 3


class Migration0004(Rows):
    """Two partial indexes; what is stored stays."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted", latitude=50.4, longitude=124.1)
        report(connection, 2, "closed", **CLOSED)
        insert(connection, "conversation", resident_id=1, step="choose_similar", draft="{}", updated_at=NOW)

    def _nothing_is_lost(self, connection: Connection) -> None:
        assert count(connection, "report") == 2
        assert count(connection, "conversation", "step = 'choose_similar'") == 1

    def upgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)

    def downgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)


class Migration0005(Rows):
    """Chats and residents get empty columns; what is there stays, and going down keeps that somebody spoke."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        report(connection, 2, "assigned", **WITH_UNIT)
        insert(connection, "conversation", resident_id=1, step="idle", draft="{}", updated_at=NOW)
        insert(connection, "inbound_message", key="k1", resident_id=1, kind="text", received_at=NOW, reply="<xml/>")

    def _nothing_is_lost(self, connection: Connection) -> None:
        assert count(connection, "report") == count(connection, "notification") == 2
        assert count(connection, "conversation", "step = 'idle'") == 1
        assert count(connection, "inbound_message", "reply = '<xml/>'") == 1
        assert count(connection, "resident", "openid = 'o1'") == 1

    def upgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        connection.execute(text("update report set waiting_for_resident = true where id = 2"))
        insert(connection, "report_question", report_id=2, resident_id=1, asked_by_id=1, asked_at=NOW, text="哪盏灯？",
               answer="")  # fmt: skip
        insert(connection, "report_event", report_id=2, at=NOW, kind="asked", actor="staff", staff_id=1,
               note="哪盏灯？", is_public=True, data="{}")  # fmt: skip
        insert(connection, "resident_block", resident_id=1, report_id=2, reason="辱骂", blocked_by_id=1,
               blocked_at=NOW, until="2026-12-01 00:00:00.000000")  # fmt: skip
        connection.execute(text("update inbound_message set text = '路灯不亮', report_id = 2"))

    def downgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        assert count(connection, "report", "waiting_for_resident") == 0
        assert count(connection, "report_event", "kind = 'commented' and note = '哪盏灯？'") == 1


class Migration0006(Rows):
    """The rules in force become the first version; those that were retired are in none."""

    def load(self, connection: Connection) -> None:
        for number, (code, retired) in enumerate((("R1", None), ("R2", NOW), ("R3", None)), 1):
            insert(connection, "routing_rule", id=number, code=code, priority=100 * number, category_codes='["01037"]',
                   major="*", facility_types='["*"]', area_codes='["*"]', condition="", units='["SZ"]', role="primary",
                   mode="auto", note="", retired_at=retired)  # fmt: skip
        insert(connection, "reference_version", name="rules", number=7)

    def upgraded(self, connection: Connection) -> None:
        number, kept = connection.execute(text("select number, cast(rules as text) from rules_version")).one()
        assert number == 7
        rules = json.loads(kept)
        assert [(rule["code"], rule["priority"], rule["units"]) for rule in rules] == [
            ("R3", 300, ["SZ"]), ("R1", 100, ["SZ"])
        ]  # fmt: skip
        insert(connection, "rules_version", number=9, at=NOW, origin="restored", restored_from=7, rules="[]",
               changes="[]")  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "routing_rule") == 3


class Migration0007(Rows):
    """Rulings of before are final too; own parts, roster and notices go away again, the rest stays."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)
        report(connection, 2, "assigned", **WITH_UNIT)
        insert(connection, "report_unit", report_id=1, unit_id=1, role="co")
        insert(connection, "hand_back", id=1, report_id=1, unit_id=1, reason="不归我们", asked_by_id=1, asked_at=NOW,
               ruling="归你们", ruled_by_id=2, ruled_at=NOW, upheld=False)  # fmt: skip

    def _nothing_is_lost(self, connection: Connection) -> None:
        assert count(connection, "report", "status = 'assigned' and unit_id = 1") == 2
        assert count(connection, "hand_back", "reason = '不归我们'") == 1
        assert count(connection, "report_unit", "role = 'co'") == 1

    def upgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        assert count(connection, "report", "ruled_at is not null and id = 1") == 1
        assert count(connection, "report", "ruled_at is null and look_level = 0 and not is_unclear and id = 2") == 1
        assert count(connection, "hand_back", "reason_code = 'other' and not is_late and not is_repeated") == 1
        # The code before this migration goes on writing rows.
        insert(connection, "report_unit", report_id=2, unit_id=1, role="supervise")
        insert(connection, "report_event", report_id=2, at=NOW, kind="unseen", actor="system", note="没人看",
               is_public=False, data="{}")  # fmt: skip
        insert(connection, "precedent", hand_back_id=1, report_id=1, area_code="", in_compound=False,
               reason_code="other", from_unit_id=1, to_unit_id=1, why="", ruled_at=NOW, ruled_by_id=2)  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        assert count(connection, "report_event", "kind = 'commented' and note = '没人看'") == 1


class Migration0008(Rows):
    """Learning begins with empty tables; decisions of before are found by their time."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)
        self.decide(connection)

    def decide(self, connection: Connection) -> None:
        insert(connection, "routing_decision", report_id=1, at=NOW, rules_version=1, rule_code="R1", unit_id=1,
               to_triage=False, reason="{}", inputs="{}", trace="[]", took_us=5)  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "routing_decision") == 1
        self.decide(connection)
        for number, state in ((1, "in_use"), (2, "refused")):
            insert(connection, "model_version", id=number, made_at=NOW, origin="learnt", state=state,
                   digest=str(number), trained_on="{}", figures="{}", why="{}",
                   packed=b"weights" if state == "in_use" else None)  # fmt: skip
        insert(connection, "model_use", version_id=1, since=NOW, by_id=1, is_step_back=False)
        insert(connection, "learning_run", night="2026-11-22", started_at=NOW, tries=1, outcome="{}")
        insert(connection, "unit_habit", category_code="01037", area_code="", facility_type="", owner_code="",
               unit_id=1, times=7, last=8, moved=7, is_hint=True, newest_at=NOW)  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "routing_decision") == 2
        assert count(connection, "report") == 1


class Migration0009(Rows):
    """Clocks that run get a reminder, those that stand still their moment; a report put aside comes back."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        report(connection, 2, "assigned", **WITH_UNIT)
        report(connection, 3, "in_progress", **WITH_UNIT, accepted_at=NOW, waiting_for_resident=True)
        report(connection, 4, "assigned", **WITH_UNIT, hand_back_pending=True)
        report(connection, 5, "assigned", **WITH_UNIT, overdue_noted_at=NOW)
        report(connection, 6, "closed", **CLOSED)
        insert(connection, "report_question", report_id=3, asked_by_id=1, asked_at=NOW, text="哪盏灯？", answer="")
        insert(connection, "hand_back", report_id=4, unit_id=1, reason="不归我们", asked_by_id=1, asked_at=NOW,
               ruling="")  # fmt: skip

    def _nothing_is_lost(self, connection: Connection) -> None:
        assert count(connection, "report") == count(connection, "notification") == 6
        assert count(connection, "report_question") == count(connection, "hand_back") == 1
        assert count(connection, "report", "waiting_for_resident") == 1

    def upgraded(self, connection: Connection) -> None:
        self._nothing_is_lost(connection)
        assert count(connection, "report", "clock_paused_at = handling_due_at and alarm_at is null") == 2
        assert count(connection, "report", "alarm_at = dispatch_due_at and status = 'submitted'") == 1
        assert count(connection, "report", "alarm_at = handling_due_at and alarm_step = 0 and id = 2") == 1
        assert count(connection, "report", "alarm_step = 3 and id = 5") == 1
        assert count(connection, "report", "alarm_at is null and id = 6") == 1
        # The code before this migration goes on writing rows.
        report(connection, 7, "submitted")
        connection.execute(text("update report set status = 'suspended' where id = 2"))
        insert(connection, "report_suspension", report_id=2, reason="等开春", began_by_id=1, began_at=NOW,
               until="2027-04-01 00:00:00.000000")  # fmt: skip
        insert(connection, "report_event", report_id=2, at=NOW, kind="suspended", actor="staff", staff_id=1,
               note="等开春", is_public=True, data="{}")  # fmt: skip
        insert(connection, "report_extension", report_id=5, unit_id=1, asked_by_id=1, asked_at=NOW, reason="等配件",
               more_value=2, more_unit="working_days", ruling="")  # fmt: skip
        insert(connection, "staff_notice", staff_id=1, report_id=2, kind="overdue", params="{}", at=NOW)

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 7
        assert count(connection, "report", "status = 'assigned' and id = 2") == 1
        assert count(connection, "report_event", "kind = 'commented' and note = '等开春'") == 1


class Migration0010(Rows):
    """Pictures and reports stay; going down, merged reports stay merged and the history keeps that somebody acted."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        insert(connection, "category", id=1, scheme="demo", kind="matter", code="21002", major="地方扩展",
               name="供水管道破裂", name_en="", keywords="[]", default_unit_kind="", limit_value=1, limit_unit="hours",
               urgency="urgent", facility_type_code="", topic="", close_without_verification=False)  # fmt: skip
        report(connection, 1, "assigned", **WITH_UNIT)
        report(connection, 2, "merged", parent_id=1)
        insert(connection, "photo", token="t", report_id=1, purpose="before", state="lost", tries=1, last_error="",
               created_at=NOW)  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "photo", "look is null") == 1
        assert count(connection, "report_event", "kind = 'submitted'") == 2
        insert(connection, "report_event", report_id=2, at=NOW, kind="merged", actor="system", note="",
               is_public=True, data="{}")  # fmt: skip
        insert(connection, "report_event", report_id=2, at=NOW, kind="question_expired", actor="system", note="",
               is_public=True, data="{}")  # fmt: skip
        insert(connection, "incident", report_id=1, category_id=1, latitude=50.4, longitude=124.1, radius_m=150,
               members=2, since=NOW, opened_at=NOW, last_at=NOW)  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report", "status = 'merged' and parent_id = 1") == 1
        assert count(connection, "report_event", "kind = 'commented'") == 1
        assert count(connection, "photo") == 1


class Migration0011(Rows):
    """Staff stay; going down, whose WeChat is whose is forgotten."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)

    def upgraded(self, connection: Connection) -> None:
        insert(connection, "staff_wechat", staff_id=1, openid="o-1", bound_at=NOW)
        insert(connection, "staff_binding_code", staff_id=1, code_hash="x" * 64, expires_at=NOW)
        insert(connection, "staff_message", staff_id=1, report_id=1, kind="assigned", params="{}", about_at=NOW,
               created_at=NOW, delivery="queued", tries=0, next_try_at=NOW, last_error="")  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "staff") == 2
        assert count(connection, "report") == 1


class Migration0012(Rows):
    """History stays; going down, what was said to residents is kept as somebody's words."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "report_event", "kind = 'submitted'") == 1
        insert(connection, "report_event", report_id=1, at=NOW, kind="replied", actor="staff", staff_id=1,
               note="明天来修", is_public=True, data="{}")  # fmt: skip
        insert(connection, "report_event", report_id=1, at=NOW, kind="suspended", actor="staff", staff_id=1, note="",
               is_public=True, data="{}")  # fmt: skip
        insert(connection, "reply_template", code="R01", title="已安排", words="已安排{单位}", category_codes="[]",
               statuses='["assigned"]')  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report_event", "kind = 'commented' and note = '明天来修'") == 1
        assert count(connection, "report_event", "kind = 'suspended'") == 1


class Migration0013(Rows):
    """Everybody goes on seeing what they saw, and logs in as before."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)

    def upgraded(self, connection: Connection) -> None:
        read = connection.execute(text("select unit_scope, area_scope from staff")).all()
        assert [[json.loads(value) if isinstance(value, str) else value for value in row] for row in read] == [
            [[], []] for _ in read
        ]
        assert read
        assert count(connection, "staff", "failed_logins = 0 and totp_sealed = '' and totp_since is null") == len(read)
        insert(connection, "staff_login", staff_id=1, began_at=NOW, seen_at=NOW, device="chrome/windows")
        insert(connection, "recovery_code", staff_id=1, code_hash="0" * 64)
        connection.execute(text("update staff set totp_sealed = 'x', totp_step = 59000000 where id = 1"))

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "staff") > 0


class Migration0014(Rows):
    """The search begins empty; what was written for it is gone with its table."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        report(connection, 2, "submitted")

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 2
        insert(connection, "report_search", report_id=1, event_id=1, words="路灯 灯不 不亮 亮")
        connection.execute(text("update report_search set words = '路灯 灯'"))
        insert(connection, "report_search", report_id=2, event_id=2, words="井盖 盖")
        insert(connection, "saved_list", staff_id=1, name="紧急", query="tab=open", created_at=NOW)
        insert(connection, "bulk_run", token="t", staff_id=1, action="assign", started_at=NOW, results="{}")
        insert(connection, "district_setting", name="search.done", value="2")
        if connection.dialect.name == "sqlite":
            assert count(connection, "report_words", "report_words match '\"路灯\"'") == 1
            assert count(connection, "report_words", "report_words match '\"不亮\"'") == 0
        connection.execute(text("delete from report_search where report_id = 2"))
        if connection.dialect.name == "sqlite":
            assert count(connection, "report_words", "report_words match '\"井盖\"'") == 0

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 2
        assert count(connection, "district_setting") == 0


class Migration0015(Rows):
    """Two indexes: the history stays as it was, whichever way."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        for kind, to_status in (("submitted", "submitted"), ("verified", "closed"), ("rated", None)):
            insert(connection, "report_event", report_id=1, at=NOW, kind=kind, actor="system", to_status=to_status,
                   note="", is_public=True, data="{}")  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "report_event", "to_status = 'closed'") == 1
        assert count(connection, "report_event", "kind = 'rated'") == 1

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report_event", "id > 0") >= 3


class Migration0016(Rows):
    """New tables beside the reports, which stay as they were."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)

    def upgraded(self, connection: Connection) -> None:
        insert(connection, "number_fact", report_id=1, measure="received", day="2026-11-20", unit_id=1, area_code="")
        insert(connection, "number_cell", grain="d", dimension="district", day="2026-11-20", key="",
               measure="received", bucket=0, amount=1)  # fmt: skip
        insert(connection, "number_report", report_id=1, event_id=1, next_at=NOW)
        insert(connection, "number_state", id=1, cursor=1, terms="")

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 1


class Migration0017(Rows):
    """A table of its own."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")

    def upgraded(self, connection: Connection) -> None:
        insert(connection, "errand", kind="export", staff_id=1, language="zh-Hans", parameters="{}", given="",
               state="waiting", done=0, attempts=0, asked_at=NOW, outcome="{}", problem="{}", file_name="",
               file_type="", file_bytes=0)  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 1


class Migration0019(Rows):
    """A new table beside the staff, who stay as they were."""


class Migration0021(Rows):
    """A table beside the others; going down, screens lose their links."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)

    def upgraded(self, connection: Connection) -> None:
        insert(connection, "list_columns", staff_id=1, names="number.place")
        insert(connection, "wall_link", name="大厅", token_hash="x" * 64, made_by_id=1, made_at=NOW,
               expires_at="2027-11-22 01:00:00+00:00")  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "staff") == 2


class Migration0018(Rows):
    """New tables beside the reports, which stay as they were."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")

    def upgraded(self, connection: Connection) -> None:
        insert(connection, "change", id=1, at=NOW, staff_id=1, kind="unit", subject="SZ", after="{}")
        insert(connection, "change", id=2, at=NOW, staff_id=1, kind="unit", subject="SZ", before="{}", after="{}")
        connection.execute(text("update change set undone_by_id = 2 where id = 1"))
        insert(connection, "tag", id=1, code="T1", name="创城", colour="blue", roles="[]")
        insert(connection, "report_tag", report_id=1, tag_id=1, at=NOW, staff_id=1)

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 1


class Migration0024(Rows):
    """Machines have keys; reports and photos of before name none and have lost nothing."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)
        insert(connection, "photo", id=1, token="t1", report_id=1, purpose="before", state="waiting", tries=0,
               last_error="", created_at=NOW)  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "report", "client_id is null and nameless_since is null") == 1
        assert count(connection, "photo", "reduced_at is null") == 1
        insert(connection, "api_key", id=1, name="路灯平台", unit_id=1, scopes='["reports.write"]', prefix="bhk_1",
               key_hash="0" * 64, per_minute=300, created_at=NOW, created_by_id=1)  # fmt: skip
        connection.execute(text("update report set client_id = 1"))

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 1
        assert count(connection, "photo") == 1


class Migration0023(Rows):
    """Every code has a state that its moments tell; a revoked one stays refused, whichever way."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        insert(connection, "facility_type", id=1, code="01037", major="", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        insert(connection, "facility", id=1, code="1", code17="1", type_id=1, name="路灯", address="", latitude=50.4,
               longitude=124.1, grid_code="", area_code="", state="intact", is_smart=False, source="")  # fmt: skip
        insert(connection, "facility_token", token="NEW", facility_id=1, issued_at=NOW)
        insert(connection, "facility_token", token="PRINTED", facility_id=1, issued_at=NOW, printed_at=NOW)
        insert(connection, "facility_token", token="GONE", facility_id=1, issued_at=NOW, revoked_at=NOW)

    def upgraded(self, connection: Connection) -> None:
        states = {row.token: row.state for row in connection.execute(text("select token, state from facility_token"))}
        assert states == {"NEW": "issued", "PRINTED": "printed", "GONE": "revoked"}
        connection.execute(
            text("update facility_token set state = 'replaced', replaced_at = issued_at, replaced_by = 'NEW' "
                 "where token = 'PRINTED'")
        )  # fmt: skip
        insert(connection, "label_run", id=1, asked_by_id=1, asked_at=NOW, layout="sheet21", chosen="{}", labels=1,
               sheets=1)  # fmt: skip
        insert(connection, "label_print", run_id=1, position=1, token="NEW")

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "facility_token") == 3
        assert count(connection, "facility_token", "revoked_at is null") == 1


class Migration0022(Rows):
    """Facilities keep everything they had, and are told from their words once these are there."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        insert(connection, "facility_type", id=1, code="01037", major="市政", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        insert(connection, "facility", id=1, code="2327610137000001", code17="23276101037000001", type_id=1,
               name="路灯1", address="", latitude=50.4, longitude=124.1, grid_code="", area_code="", state="intact",
               is_smart=False,
               source="", retired_at=None)  # fmt: skip
        insert(connection, "facility_token", token="AB", facility_id=1, issued_at=NOW)

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "facility", "code_scheme = '17' and version = 1 and words is null") == 1
        assert count(connection, "facility_token") == 1
        insert(connection, "facility_edit", facility_id=1, at=NOW, staff_id=1, kind="changed", source="", changes="{}",
               note="")  # fmt: skip
        insert(connection, "photo", id=1, token="p", purpose="before", state="kept", digest="d", tries=0, last_error="",
               created_at=NOW)  # fmt: skip
        insert(connection, "facility_photo", photo_id=1, facility_id=1, staff_id=1, added_at=NOW)
        for words in ("路灯 灯", "井盖 盖"):
            connection.execute(text(f"update facility set words = '{words}'"))
        if connection.dialect.name == "sqlite":
            assert count(connection, "facility_words", "facility_words match '\"井盖\"'") == 1
            assert count(connection, "facility_words", "facility_words match '\"路灯\"'") == 0

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "facility") == 1
        assert count(connection, "facility_token") == 1


class Migration0020(Rows):
    """The sums of years are those of their months; other indexes change no row."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "assigned", **WITH_UNIT)
        for grain, day, amount in (("d", "2025-12-31", 4), ("m", "2025-12-01", 4), ("m", "2026-01-01", 2),
                                   ("m", "2026-11-01", 3)):  # fmt: skip
            insert(connection, "number_cell", grain=grain, dimension="unit", day=day, key="1", measure="received",
                   bucket=0, amount=amount)  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        years = connection.execute(text("select day, amount from number_cell where grain = 'y' order by day")).all()
        assert [(str(day), amount) for day, amount in years] == [("2025-01-01", 4), ("2026-01-01", 5)]
        assert count(connection, "report", "unit_id = 1 and status = 'assigned'") == 1
        assert count(connection, "number_cell", "grain in ('d', 'm')") == 4

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "number_cell") == 4
        assert count(connection, "report", "unit_id = 1 and status = 'assigned'") == 1


class Migration0025(Rows):
    """Reports gain two kinds of history; what devices said is gone again with their tables, the reports are not."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        report(connection, 1, "submitted")
        insert(connection, "facility_type", id=1, code="01037", major="市政", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        insert(connection, "facility", id=1, code="2327610137000001", code17="23276101037000001", type_id=1,
               name="路灯1", address="", latitude=50.4, longitude=124.1, grid_code="", area_code="", state="intact",
               is_smart=True, source="")  # fmt: skip
        insert(connection, "report_event", report_id=1, at=NOW, kind="split", actor="system", note="", is_public=True,
               data="{}")  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "report_event", "kind = 'split'") == 1
        insert(
            connection,
            "device_alarm_kind",
            id=1,
            code="outage",
            facility_type_code="*",
            name="不亮",
            name_en="outage",
            category_code="01037",
            is_critical=False,
            wait_s=60,
            flood_threshold=5,
            flood_s=120,
        )
        insert(connection, "device", id=1, unit_id=1, code="L-1", facility_id=1, cabinet="", model="",
               created_at=NOW)  # fmt: skip
        insert(connection, "device_alarm", id=1, device_id=1, kind_id=1, raised_at=NOW, last_at=NOW, repeats=0,
               again=0, message="", report_id=1, how="filed")  # fmt: skip
        insert(connection, "report_event", report_id=1, at=NOW, kind="device_cleared", actor="system", note="",
               is_public=False, data="{}")  # fmt: skip

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "report") == 1
        assert count(connection, "report_event", "kind in ('split', 'commented')") == 2


class Migration0026(Rows):
    """Codes stay what they are; nobody has scanned them yet as far as anybody knows."""

    def load(self, connection: Connection) -> None:
        insert(connection, "facility_type", id=1, code="01037", major="市政", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        insert(connection, "facility", id=1, code="2327610137000001", code17="23276101037000001", type_id=1,
               name="路灯1", address="", latitude=50.4, longitude=124.1, grid_code="", area_code="", state="intact",
               is_smart=False, source="", retired_at=None)  # fmt: skip
        insert(connection, "facility_token", token="AB", facility_id=1, issued_at=NOW)

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "facility_token", "last_scanned_on is null") == 1
        insert(connection, "facility_scan_day", facility_id=1, day="2026-11-22", scans=3)
        insert(connection, "code_guess_day", day="2026-11-22", door="page", wrong=2)

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "facility_token") == 1


class Migration0027(Rows):
    """Entries of the log from before have no result; checks, their pictures and their reports are told from now on."""

    def load(self, connection: Connection) -> None:
        one_unit_with_staff(connection)
        insert(connection, "facility_type", id=1, code="01037", major="", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        insert(connection, "facility", id=1, code="1", code17="1", type_id=1, name="路灯", address="", latitude=50.4,
               longitude=124.1, grid_code="", area_code="", state="intact", is_smart=False, source="")  # fmt: skip
        insert(connection, "maintenance_entry", id=1, facility_id=1, staff_id=1, kind="inspection", note="看过", at=NOW)
        insert(connection, "photo", id=1, token="p", purpose="before", state="kept", digest="d", tries=0, last_error="",
               created_at=NOW)  # fmt: skip
        report(connection, 1, "assigned", **WITH_UNIT)

    def upgraded(self, connection: Connection) -> None:
        assert count(connection, "facility_type", "not gives_light") == 1
        assert count(connection, "maintenance_entry", "result is null and plan_id is null and not is_far") == 1
        insert(connection, "inspection_plan", id=1, code="P1", name="路灯月检", type_codes='["01037"]', area_codes="[]",
               crew="maintainer", every=1, every_unit="months", months="[]", starts_on="2026-01-01",
               created_at=NOW)  # fmt: skip
        insert(connection, "maintenance_entry", id=2, facility_id=1, staff_id=1, kind="inspection", note="", at=NOW,
               result="faulty", problem="不亮", plan_id=1, metres=12)  # fmt: skip
        insert(connection, "maintenance_photo", photo_id=1, entry_id=2, moment="before")
        insert(connection, "maintenance_report", entry_id=2, report_id=1, how="filed")

    def downgraded(self, connection: Connection) -> None:
        assert count(connection, "maintenance_entry", "note = '看过'") == 1
        assert count(connection, "photo") == 1


class Migration0028(Rows):
    """Facilities in the register are counted by squares, those taken out are not; then the database counts itself."""

    def load(self, connection: Connection) -> None:
        insert(connection, "facility_type", id=1, code="01037", major="", name="路灯", name_en="lamp",
               geometry="point", default_unit_kind="municipal", is_smart=False, problems="[]",
               default_category_code="")  # fmt: skip
        for number, latitude, retired_at in ((1, 50.4, None), (2, 50.4, None), (3, 50.41, None), (4, 50.4, NOW)):
            insert(connection, "facility", id=number, code=str(number), code17=str(number), type_id=1, name="路灯",
                   address="", latitude=latitude, longitude=124.1, grid_code="", area_code="", state="intact",
                   is_smart=False, source="", retired_at=retired_at)  # fmt: skip

    def upgraded(self, connection: Connection) -> None:
        rows = "select north, east, amount, latitude_sum, longitude_sum from facility_heap order by id"
        first, second = sorted(map(tuple, connection.execute(text(rows))))
        assert first == (287539, 622796, 2, 2 * 1404000000, 2 * 3041000000)
        assert second == (287559, 622796, 1, 1404100000, 3041000000)
        insert(connection, "facility", id=5, code="5", code17="5", type_id=1, name="路灯", address="", latitude=50.4,
               longitude=124.1, grid_code="", area_code="", state="intact", is_smart=False, source="")  # fmt: skip
        connection.execute(text("update facility set latitude = 50.41, name = 'x' where id = 1"))
        connection.execute(text("update facility set retired_at = null where id = 4"))
        connection.execute(text("delete from facility where id = 3"))
        connection.execute(text("update facility set name = 'y', latitude = latitude"))
        added = connection.execute(text("select north, sum(amount) from facility_heap group by north order by north"))
        assert [tuple(map(int, row)) for row in added] == [(287539, 3), (287559, 1)]
        assert count(connection, "facility_heap") == 7

    def downgraded(self, connection: Connection) -> None:
        # Nobody is called any more where nobody is.
        connection.execute(text("update facility set latitude = 50.42 where id = 1"))
        assert count(connection, "facility") == 4
