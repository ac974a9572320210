"""whole transitions: a report's status and each of its companions change together

The first rules asked for companions in pairs, so that half a pair passed in any other status. No row that the
application wrote breaks the new rules.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WITH_UNIT = "status in ('assigned', 'closed', 'in_progress', 'resolved', 'suspended')"
DONE = "status in ('resolved', 'closed')"

OLD = {
    "clock_set_when_assigned": f"(assigned_at is not null and handling_due_at is not null) = ({WITH_UNIT})",
    "resolver_set_when_resolved": f"(resolved_at is not null and resolved_by_id is not null) = ({DONE})",
    "verifier_set_when_closed": (
        "(closed_at is not null and (verified_by_id is not null or verification_waived)) = (status = 'closed')"
    ),
    "verifier_only_when_closed": "verified_by_id is null or status = 'closed'",
    "stars_when_closed": "stars is null or (stars between 1 and 5 and status = 'closed')",
}
NEW = {
    "assigned_at_when_assigned": f"(assigned_at is not null) = ({WITH_UNIT})",
    "clock_set_when_assigned": f"(handling_due_at is not null) = ({WITH_UNIT})",
    "accepted_only_with_unit": f"accepted_at is null or {WITH_UNIT}",
    "accepted_before_work": "accepted_at is not null or status not in ('in_progress', 'resolved', 'closed')",
    "hand_back_while_with_unit": "not hand_back_pending or status in ('assigned', 'in_progress')",
    "resolved_at_when_resolved": f"(resolved_at is not null) = ({DONE})",
    "resolver_set_when_resolved": f"(resolved_by_id is not null) = ({DONE})",
    "closed_at_when_closed": "(closed_at is not null) = (status = 'closed')",
    "verifier_set_when_closed": "(verified_by_id is not null or verification_waived) = (status = 'closed')",
    "verified_or_waived": "verified_by_id is null or not verification_waived",
    "rated_when_closed": "rated_at is null or status = 'closed'",
    "rating_whole": "(rated_at is not null) = (solved is not null)",
    "stars_when_rated": "stars is null or (stars between 1 and 5 and rated_at is not null)",
}


def upgrade() -> None:
    # A withdrawn report could keep the mark of a hand-back that nobody would rule on any more.
    ended = "status not in ('assigned', 'in_progress')"
    op.execute(f"delete from hand_back where ruled_at is null and report_id in (select id from report where {ended})")
    op.execute(f"update report set hand_back_pending = false where hand_back_pending and {ended}")
    _replace(OLD, NEW)


def downgrade() -> None:
    _replace(NEW, OLD)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    with op.batch_alter_table("report") as report:
        for name in old:
            report.drop_constraint(op.f(f"ck_report_{name}"), type_="check")
        for name, rule in new.items():
            report.create_check_constraint(op.f(f"ck_report_{name}"), rule)
