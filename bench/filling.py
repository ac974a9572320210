"""Districts with very many reports stored, on PostgreSQL: filled once in a few minutes, kept, and used again.

A district has no more to do today because it has kept the reports of ten years: both the reports of a day and the open
work are the same whatever is stored, only the past is longer. Written straight into the tables, with everything that a
report leaves behind: history, routing decision, notification, picture, search words, and what it counts as. The open
reports are counted by the product itself; `flask district numbers check` finds no difference.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text

from bench.routing import WORDS
from bench.system import ROOT, System, postgres_url, server
from district import jobs
from district.extensions import db
from district.numbers import scale
from district.numbers import service as figures
from district.reports import numbers
from district.search.tokens import tokens

# Counts up when what is written changes, so that districts kept from before are filled anew.
MEANING = 1
A_DAY = 274  # a million in ten years
OPEN_REPORTS = 3_000
# So many closed reports have a number that can be read out; the others' check letter is not worked out.
NAMED = 60
# As many again are this unit's.
UNIT = "SZ"
# "Today" and "this month" are soon empty in a district to which nothing comes any more.
KEPT_FOR = timedelta(days=3)
# What is filled, in this order.
TABLES = (
    "resident", "report", "report_unit", "report_event", "routing_decision", "notification", "photo", "report_search",
    "number_fact", "number_cell", "number_report", "number_state",
)  # fmt: skip


def name_of(count: int) -> str:
    """The database that holds a district with so many reports."""
    return f"bihuan_bench_{count}"


@contextmanager
def stored(folder: Path, count: int, *, fresh: bool) -> Iterator[System]:
    """A district with `count` reports, its queue server running: the one kept from before, or a new one.

    fresh: always a new one. It stays on the database server; `drop` takes it away.
    """
    url = make_url(postgres_url()).set(database=name_of(count)).render_as_string(hide_password=False)
    instance = System(folder / f"stored{count}", url)
    try:
        instance.start_queue()
        if fresh or not _can_be_used(count):
            print(f"filling {name_of(count)} ...", file=sys.stderr, flush=True)
            _make_anew(count)
            instance.prepare()
            _fill(instance, count)
        yield instance
    finally:
        instance.stop()


def drop() -> list[str]:
    """Take every kept district away; their names."""
    with server() as connection:
        found = connection.execute("select datname from pg_database where datname ~ '^bihuan_bench_[0-9]+$'").fetchall()
        for (name,) in found:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(str(name))))
    return [str(name) for (name,) in found]


def _state() -> dict[str, Any]:
    return {"meaning": MEANING, "schema": ScriptDirectory(str(ROOT / "migrations")).get_current_head()}


def _can_be_used(count: int) -> bool:
    """Whether the kept one was filled to the end, for this state of the code, and not too long ago."""
    with server() as connection:
        found = connection.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [name_of(count)]
        ).fetchone()
    if found is None or not found[0]:
        return False
    kept = json.loads(str(found[0]))
    filled_at = datetime.fromisoformat(kept.pop("filled_at"))
    return bool(kept == _state() and datetime.now(UTC) - filled_at < KEPT_FOR)


def _make_anew(count: int) -> None:
    name = sql.Identifier(name_of(count))
    with server() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        connection.execute(sql.SQL("create database {}").format(name))
        # What a crash of the server would lose can be filled anew.
        connection.execute(sql.SQL("alter database {} set synchronous_commit = off").format(name))


def _fill(instance: System, count: int) -> None:
    from wsgi import create_app

    now, app = datetime.now(UTC), create_app(instance.config)
    with app.app_context():
        terms = figures.stated(figures.terms())
        db.session.remove()
    engine = create_engine(instance.database_url)
    with engine.begin() as connection:
        _write(connection, count, now, terms)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    # The open reports are left to the product: what they count as changes with the hour.
    with app.app_context():
        jobs.count_numbers()
        db.session.remove()
        db.engine.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze number_fact, number_cell, number_report"))
    engine.dispose()
    with server() as connection:
        kept = json.dumps(_state() | {"filled_at": now.isoformat()})
        connection.execute(
            sql.SQL("comment on database {} is {}").format(sql.Identifier(name_of(count)), sql.Literal(kept))
        )


def _write(connection: Connection, count: int, now: datetime, terms: str) -> None:
    # The rows are right by construction: no foreign key need be looked up ten million times, and an index is made
    # many times faster in one go than row by row.
    connection.execute(text("set local session_replication_role = replica"))
    connection.execute(text("set local maintenance_work_mem = '512MB'"))
    connection.execute(text("set local work_mem = '512MB'"))
    indexes = connection.execute(
        text(
            "select i.indexdef from pg_indexes i where i.schemaname = 'public' and i.tablename = any(:tables) and not "
            "exists (select 1 from pg_constraint c where c.conname = i.indexname)"
        ),
        {"tables": list(TABLES)},
    ).scalars()
    made = list(indexes)
    for definition in made:
        connection.execute(text(f'drop index "{definition.split()[3 if " UNIQUE " in definition else 2]}"'))
    # The key of the sums is as long as they are, and they are not made in its order.
    key = connection.execute(
        text("select pg_get_constraintdef(oid) from pg_constraint where conname = 'pk_number_cell'")
    ).scalar_one()
    connection.execute(text("alter table number_cell drop constraint pk_number_cell"))
    texts = [one.format(place=place) for one in WORDS["texts"] for place in WORDS["places"]]
    connection.execute(text("create temporary table bench_words (spot int primary key, words text, stored text)"))
    connection.execute(
        text("insert into bench_words values (:n, :words, :stored)"),
        [{"n": n, "words": one, "stored": _stored(one)} for n, one in enumerate(texts)],
    )
    given = {
        "count": count, "open": OPEN_REPORTS, "texts": len(texts), "now": now, "day": 86400 / A_DAY,
        "first": scale.FIRST_S, "growth": scale.GROWTH, "zone": "Asia/Shanghai", "residents": max(1, count // 8),
        "terms": terms,
    }  # fmt: skip
    for statement in re.split(r";\s*\n", _FILL):
        if statement.strip():
            asked = text(statement)
            connection.execute(asked, {name: given[name] for name in asked.compile().params})
    for definition in made:
        connection.exec_driver_sql(definition)
    connection.exec_driver_sql(f"alter table number_cell add constraint pk_number_cell {key}")
    _name_some(connection, count)


def _name_some(connection: Connection, count: int) -> None:
    found = (numbers.spell("20300101", position) for position in range(1, 9999))
    right = [number for number in found if number[-1].isalpha()][: 2 * NAMED]
    for place, number in enumerate(right[:NAMED]):
        turn = place // 2
        key = count - OPEN_REPORTS + (37 * turn + 1 if place % 2 else -50 * turn - 8)
        connection.execute(text("update report set number = :number where id = :id"), {"number": number, "id": key})
    of_unit = text(
        "select id from report where unit_id = (select id from unit where code = :unit) and number like '%Z' "
        "order by id desc limit :named"
    )
    keys = connection.execute(of_unit, {"unit": UNIT, "named": NAMED}).scalars().all()
    for key, number in zip(keys, right[NAMED:], strict=False):
        connection.execute(text("update report set number = :number where id = :id"), {"number": number, "id": key})


def _stored(words: str) -> str:
    return " ".join(f"'{token}':{place}" for place, token in enumerate(tokens(words), 1))


# n: a report, from the eldest. Old ones closed, some rejected or merged; the newest with their units or waiting.
_FILL = """
insert into resident (id, openid, language, notice_version, is_follower, window_left, has_unheard, first_seen_at,
  last_seen_at)
select n, 'bench' || n, 'zh-Hans', 1, true, 0, false, :now, :now from generate_series(1, :residents) n;

create temporary table bench_report as
select n, at, status, has_unit, is_done, is_done and n % 5 = 0 as is_rated, at + interval '2 minutes' as assigned,
  case when status <> 'assigned' and has_unit
    then least(:now, at + interval '2 minutes' + (n * 7919 % 5200) * interval '20 seconds') end as accepted,
  case when is_done or status = 'resolved'
    then least(:now, at + interval '30 hours' + (n * 104729 % 9000) * interval '1 minute' / 2) end as resolved,
  case when is_done then at + interval '6 days' + (n % 600) * interval '1 minute' end as closed,
  c.ids[1 + (hashint8(n * 4) & 2147483647) % array_length(c.ids, 1)] as category_id,
  case when has_unit then u.ids[1 + (hashint8(n * 4 + 1) & 2147483647) % array_length(u.ids, 1)] end as unit_id,
  a.codes[1 + (hashint8(n * 4 + 2) & 2147483647) % array_length(a.codes, 1)] as area_code,
  s.ids[1 + spot % array_length(s.ids, 1)] as handler_id, s.ids[1 + (spot + 1) % array_length(s.ids, 1)] as verifier_id
from (
  select n, spot, at, status, status in ('assigned', 'in_progress', 'resolved', 'closed') as has_unit,
    status = 'closed' as is_done
  from (
    select n::bigint, hashint8(n * 4 + 3) & 2147483647 as spot, :now - (:count - n) * :day * interval '1 second' as at,
      case when n > :count - :open then
          case when n % 50 = 0 then 'triage' else (array['assigned', 'in_progress', 'resolved', 'assigned',
            'in_progress'])[1 + n % 5] end
        when n % 50 = 7 then 'rejected' when n % 50 = 9 then 'merged' else 'closed' end as status
    from generate_series(1, :count) n
  ) one
) made
cross join (select array_agg(id order by id) as ids from category) c
cross join (select array_agg(id order by id) as ids from unit where role = 'handler') u
cross join (select array_agg(code order by code) as codes from area where level = 'area') a
cross join (select array_agg(id order by id) as ids from staff) s;

create unique index on bench_report (n);
analyze bench_report;

insert into report (id, number, access_key, source, language, resident_id, contact_sealed, description, category_id,
  intent, urgency, latitude, longitude, address, place_source, area_code, community_code, grid_code, status, unit_id,
  reason, hand_back_pending, waiting_for_resident, parent_id, reject_reason, submitted_at, dispatch_due_at, assigned_at,
  handling_due_at, limit_value, limit_unit, accepted_at, resolved_at, resolved_by_id, resolution, closed_at,
  verified_by_id, verification_waived, has_followers, rework_count, reopen_count, solved, stars, rating_text, rated_at,
  first_seen_at, route_after, route_tries, version)
select n, 'BH' || to_char(at, 'YYYYMMDD') || '-' || n || 'Z', 'k', (array['bot', 'h5', 'qr', 'staff'])[1 + n % 4],
  'zh-Hans', 1 + n * 7 % :residents, '', w.words, category_id, 'report',
  case when n % 97 = 0 then 'critical' when n % 11 = 0 then 'urgent' else 'normal' end,
  50.40 + (n % 977) / 15000.0, 124.10 + (n % 1013) / 12000.0, (n % 4000) || '号', 'picked', area_code, '', '', status,
  unit_id, '{}', false, false, case when status = 'merged' then n - 1 end, case when status = 'rejected' then '-' end,
  at, at + interval '1 hour', case when has_unit then assigned end,
  case when has_unit then assigned + interval '72 hours' end, case when has_unit then 72 end,
  case when has_unit then 'hours' end, accepted, resolved, case when resolved is not null then handler_id end,
  case when resolved is not null then '已修复' else '' end, closed, case when is_done then verifier_id end, false,
  n % 50 = 8, (n % 60 = 0)::int, (n % 50 = 0)::int, case when is_rated then n % 30 <> 0 end,
  case when is_rated then 1 + n % 7 % 5 end, '', case when is_rated then closed + interval '1 day' end, accepted,
  at, 0, 3
from bench_report join bench_words w on w.spot = (n * 13) % :texts
order by n;

insert into report_unit (report_id, unit_id, role, note)
select n, u.ids[1 + (hashint8(n) & 2147483647) % array_length(u.ids, 1)], 'co', '' from bench_report
cross join (select array_agg(id order by id) as ids from unit where role = 'handler') u
where has_unit and n % 20 = 3;

insert into report_event (report_id, at, kind, actor, staff_id, from_status, to_status, unit_id, note, is_public, data)
select n, line.at, line.kind, line.actor, line.staff_id, line.before, line.after,
  case when line.kind in ('routed', 'accepted', 'resolved') then unit_id end, '', true, line.data
from bench_report cross join lateral (values
  (0, at, 'submitted', 'resident', null, null, 'submitted', '{}'::jsonb),
  (1, case when has_unit then assigned end, 'routed', 'system', null, 'submitted', 'assigned', '{}'),
  (2, accepted, 'accepted', 'staff', handler_id, 'assigned', 'in_progress', '{}'),
  (3, resolved, 'resolved', 'staff', handler_id, 'in_progress', 'resolved', '{}'),
  (4, closed, 'verified', 'staff', verifier_id, 'resolved', 'closed', '{}'),
  (5, case when is_rated then closed + interval '1 day' end, 'rated', 'resident', null, null, null,
    jsonb_build_object('solved', n % 30 <> 0, 'stars', 1 + n % 7 % 5)),
  (6, case when status = 'triage' then assigned end, 'sent_to_triage', 'system', null, 'submitted', 'triage', '{}'),
  (7, case when status = 'merged' then assigned end, 'merged', 'system', null, 'submitted', 'merged', '{}'),
  (8, case when status = 'rejected' then assigned end, 'rejected', 'staff', verifier_id, 'submitted', 'rejected', '{}')
) line(step, at, kind, actor, staff_id, before, after, data)
where line.at is not null order by n, step;

insert into routing_decision (report_id, at, rules_version, rule_code, unit_id, to_triage, reason, inputs, trace,
  took_us)
select n, assigned, 1, case when has_unit then 'R1' end, unit_id, status = 'triage',
  '{"key": "routing.reason.rule", "params": {}}', '{"category": "x"}', '[]', 300
from bench_report where has_unit or status = 'triage' order by n;

insert into notification (resident_id, report_id, kind, params, created_at, delivery, channel, tries, last_error,
  sent_at)
select 1 + n * 7 % :residents, n, 'assigned', '{}', assigned, 'sent', 'custom', 1, '', assigned
from bench_report where has_unit order by n;

insert into photo (token, report_id, resident_id, purpose, state, digest, width, height, tries, last_error, created_at)
select 'bench' || n, n, 1 + n * 7 % :residents, 'before', 'kept', md5(n::text) || md5(n::text), 1200, 900, 1, '', at
from bench_report where n % 3 = 0 order by n;

insert into report_search (report_id, event_id, words)
select n, last.event_id, (w.stored || ' ''' || (n % 4000)
  || '''\\:900 ''号''\\:901 ''rare' || n % 9973 || '''\\:905')::tsvector
from bench_report join bench_words w on w.spot = (n * 13) % :texts
join (select report_id, max(id) as event_id from report_event group by report_id) last on last.report_id = n
order by n;

insert into number_fact (report_id, measure, day, unit_id, area_code, category_id, seconds)
select n, fact.measure, (fact.at at time zone :zone)::date, unit_id, area_code, category_id, fact.seconds
from bench_report cross join lateral (values
  ('received', at, null), ('assigned', case when has_unit then assigned end, null),
  (case when accepted <= assigned + interval '24 hours' then 'responded' else 'unresponded' end,
    case when has_unit then assigned end, null),
  (case when resolved <= assigned + interval '72 hours' then 'on_time' else 'overdue' end,
    case when has_unit then assigned + interval '72 hours' end, null),
  ('closed', closed, null), ('handling', resolved, round(extract(epoch from resolved - assigned))::int),
  ('rated', case when is_rated then closed + interval '1 day' end, null),
  ('starred', case when is_rated then closed + interval '1 day' end, null),
  ('solved', case when is_rated and n % 30 <> 0 then closed + interval '1 day' end, null),
  ('satisfied', case when is_rated and n % 30 <> 0 and 1 + n % 7 % 5 >= 4 then closed + interval '1 day' end, null)
) fact(measure, at, seconds)
where fact.at is not null and n <= :count - :open order by n;

create temporary table bench_sum as
select measure, day, unit_id, area_code, category_id,
  case when seconds is null then 0 when seconds <= :first then 0
    else greatest(1, ceil(ln(seconds::float8 / :first) / ln(:growth ::float8) - 1e-9))::int end as bucket
from number_fact;

insert into number_cell (grain, dimension, day, key, measure, bucket, amount)
select 'd', 'district', day, '', measure, bucket, count(*) from bench_sum group by day, measure, bucket
union all
select 'd', 'unit', day, coalesce(unit_id::text, ''), measure, bucket, count(*) from bench_sum
group by day, unit_id, measure, bucket
union all
select 'd', 'street', day, area_code, measure, bucket, count(*) from bench_sum group by day, area_code, measure, bucket
union all
select 'd', 'category', day, coalesce(category_id::text, ''), measure, bucket, count(*) from bench_sum
group by day, category_id, measure, bucket;

insert into number_cell (grain, dimension, day, key, measure, bucket, amount)
select 'm', dimension, date_trunc('month', day)::date, key, measure, bucket, sum(amount) from number_cell
where grain = 'd' group by dimension, date_trunc('month', day), key, measure, bucket;

insert into number_cell (grain, dimension, day, key, measure, bucket, amount)
select 'y', dimension, date_trunc('year', day)::date, key, measure, bucket, sum(amount) from number_cell
where grain = 'm' group by dimension, date_trunc('year', day), key, measure, bucket;

insert into number_report (report_id, event_id, next_at)
select report_id, max(id), null from report_event where report_id <= :count - :open group by report_id;

insert into number_state (id, cursor, terms, counted_at)
select 1, max(event_id), :terms, :now from number_report;

select setval(pg_get_serial_sequence('report', 'id'), :count);
select setval(pg_get_serial_sequence('resident', 'id'), :residents);
"""
