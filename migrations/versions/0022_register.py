"""register: contracts, history, pictures of facilities, and what they are found by

The words are filled by a job: a migration knows nothing of how text is cut into them. The index of places holds what
is in use alone, as everybody who asks it wants.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_USE, NOT_INTACT, UNREAD = sa.text("retired_at is null"), sa.text("state <> 'intact'"), sa.text("words is null")
TAKE = "insert into facility_words(facility_words, rowid, words) values ('delete', old.id, old.words)"
ADD = "insert into facility_words(rowid, words) values (new.id, new.words)"
ADD_SOME = "insert into facility_words(rowid, words) select new.id, new.words where new.words is not null"
FTS5 = (
    "create virtual table facility_words using fts5(words, content='facility', content_rowid='id', tokenize='ascii')",
    f"create trigger facility_words_added after insert on facility when new.words is not null begin {ADD}; end",
    f"create trigger facility_words_gone after delete on facility when old.words is not null begin {TAKE}; end",
    "create trigger facility_words_changed after update of words on facility when old.words is not null "
    f"begin {TAKE}; {ADD_SOME}; end",
    "create trigger facility_words_given after update of words on facility when old.words is null "
    f"and new.words is not null begin {ADD}; end",
)


def upgrade() -> None:
    with op.batch_alter_table("facility") as table:
        table.add_column(sa.Column("code_scheme", sa.String(length=4), server_default="17", nullable=False))
        table.add_column(sa.Column("contract_from", sa.Date(), nullable=True))
        table.add_column(sa.Column("contract_to", sa.Date(), nullable=True))
        table.add_column(sa.Column("emergency_phone", sa.String(length=40), server_default="", nullable=False))
        table.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        table.add_column(sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=True))
        table.create_check_constraint(op.f("ck_facility_code_scheme_known"), "code_scheme in ('16', '17')")
        table.create_check_constraint(
            op.f("ck_facility_contract_in_order"),
            "contract_from is null or contract_to is null or contract_from <= contract_to",
        )
        table.drop_index("ix_facility_place")
        table.drop_index("ix_facility_type_id")
    op.create_index(
        "ix_facility_place", "facility", ["latitude", "longitude"], sqlite_where=IN_USE, postgresql_where=IN_USE
    )  # fmt: skip
    op.create_index("ix_facility_type", "facility", ["type_id", "id"])
    op.create_index("ix_facility_area", "facility", ["area_code", "id"])
    op.create_index(
        "ix_facility_state", "facility", ["state", "id"], sqlite_where=NOT_INTACT, postgresql_where=NOT_INTACT
    )  # fmt: skip
    op.create_index("ix_facility_unread", "facility", ["id"], sqlite_where=UNREAD, postgresql_where=UNREAD)
    if op.get_bind().dialect.name == "sqlite":
        # Last: a table that is copied later loses its triggers, and must be given them again.
        for statement in FTS5:
            op.execute(statement)
    else:
        op.create_index("ix_facility_words", "facility", ["words"], postgresql_using="gin")
    op.create_table(
        "facility_edit",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", BIG, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("changes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind in ('added', 'changed', 'retired', 'restored', 'photo_added', 'photo_removed')",
            name=op.f("ck_facility_edit_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_facility_edit_facility_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_facility_edit_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility_edit")),
    )
    op.create_index("ix_facility_edit_facility", "facility_edit", ["facility_id", "id"])
    op.create_table(
        "facility_photo",
        sa.Column("photo_id", BIG, autoincrement=False, nullable=False),
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_facility_photo_facility_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_facility_photo_photo_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_facility_photo_staff_id")),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_facility_photo")),
    )
    op.create_index(op.f("ix_facility_photo_facility_id"), "facility_photo", ["facility_id"])


def downgrade() -> None:
    op.drop_table("facility_photo")
    op.drop_table("facility_edit")
    if op.get_bind().dialect.name == "sqlite":
        for name in ("added", "gone", "changed", "given"):
            op.execute(f"drop trigger facility_words_{name}")
        op.execute("drop table facility_words")
    else:
        op.drop_index("ix_facility_words", "facility")
    for name in ("unread", "state", "area", "type", "place"):
        op.drop_index(f"ix_facility_{name}", "facility")
    with op.batch_alter_table("facility") as table:
        table.drop_constraint(op.f("ck_facility_contract_in_order"), type_="check")
        table.drop_constraint(op.f("ck_facility_code_scheme_known"), type_="check")
        for name in ("words", "version", "emergency_phone", "contract_to", "contract_from", "code_scheme"):
            table.drop_column(name)
        table.create_index(op.f("ix_facility_type_id"), ["type_id"])
        table.create_index("ix_facility_place", ["latitude", "longitude"])
