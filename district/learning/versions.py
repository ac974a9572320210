"""The versions of the model: which is in use, which were, and one way back.

Verbs flush and do not commit. Every process reads the weights anew within two seconds of a change.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from district import audit, clock, settings
from district.errors import NotAllowed, NotFound, WrongState
from district.extensions import db
from district.learning.models import ModelState, ModelUse, ModelVersion, Origin
from district.learning.study import IDLE, Study, Verdict
from district.people.models import Staff
from district.people.roles import Role
from district.settings import DistrictSetting
from district.understanding import store
from district.understanding.weights import Weights

MAY_CHOOSE = frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEAD})
# How many retired versions keep their weights (nearly a megabyte each) so that one can go back to them.
_USABLE_KEPT = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """How a training was put down. version: its number; None where nothing was trained."""

    version: int | None
    state: str | None
    why: dict[str, Any]


def keep(studied: Study) -> Kept:
    """Put a training down: in use if it is better, refused with the reason if not. Flushes.

    A better one waits as a candidate when the model in use changed during the training, and after somebody went back.
    """
    before = adopt()
    if studied.weights is None or studied.verdict in IDLE:
        return Kept(None, None, studied.why)
    packed = studied.weights.pack()
    digest = store.digest_of(packed)
    known = db.session.scalar(select(ModelVersion).where(ModelVersion.digest == digest))
    if known is not None:
        return Kept(known.id, known.state, _sentence(Verdict.NOTHING_NEW))
    is_better = studied.verdict == Verdict.BETTER
    why = studied.why
    state = ModelState.RETIRED if is_better else ModelState.REFUSED
    if is_better and (before.digest if before else "") != studied.against:
        state, why = ModelState.CANDIDATE, _sentence("changed")
    elif is_better and is_stepped_back():
        state, why = ModelState.CANDIDATE, _sentence("stepped_back")
    version = ModelVersion(
        made_at=clock.now(), origin=Origin.LEARNT, state=state, digest=digest, trained_on=studied.trained_on,
        figures=studied.figures, why=why, packed=packed if is_better else None,
    )  # fmt: skip
    db.session.add(version)
    db.session.flush()
    if state is ModelState.RETIRED:
        _use(version, before, by=None)
    _forget_old()
    return Kept(version.id, version.state, why)


def put_in_use(version_id: int, *, by: Staff) -> ModelVersion:
    """A person chooses a version: back to an older one, or on to a candidate. Flushes.

    Raises NotAllowed, NotFound, and WrongState when it is in use already or its weights are no longer kept.
    """
    if not MAY_CHOOSE & by.roles:
        raise NotAllowed()
    before = adopt()
    version = db.session.get(ModelVersion, version_id, with_for_update=True)
    if version is None:
        raise NotFound("learning.errors.version_unknown")
    if version.state == ModelState.IN_USE:
        raise WrongState("learning.errors.in_use_already")
    if version.packed is None:
        raise WrongState("learning.errors.not_kept")
    _use(version, before, by=by)
    audit.record(by, "model.use", f"model:{version.id}")
    return version


def adopt() -> ModelVersion | None:
    """The version in use, made one first where its weights came by another way: with the district's folder.

    None where the district is understood by words alone. Locks it until the commit.
    """
    # Locked first: whoever changes the model in use waits here.
    setting = db.session.get(DistrictSetting, store.STAMP, with_for_update=True, populate_existing=True)
    stamp = setting.value if setting is not None else None
    version = db.session.scalar(
        select(ModelVersion).where(ModelVersion.state == ModelState.IN_USE).execution_options(populate_existing=True)
    )
    digest = stamp["digest"] if stamp else ""
    if version is not None and version.digest == digest:
        return version
    if version is not None:
        version.state = ModelState.RETIRED
        db.session.flush()
    if not stamp:
        return None
    found = db.session.scalar(select(ModelVersion).where(ModelVersion.digest == digest))
    if found is None:
        packed = base64.b64decode(settings.get(store.PACKED) or "")
        found = ModelVersion(
            made_at=clock.now(), origin=Origin.FOLDER, state=ModelState.RETIRED, digest=digest,
            trained_on={"utterances": len(settings.get(store.UTTERANCES) or ())},
            figures=Weights.unpack(packed).figures, why=_sentence("brought"), packed=packed,
        )  # fmt: skip
        db.session.add(found)
    found.state = ModelState.IN_USE
    db.session.flush()
    db.session.add(ModelUse(version_id=found.id, since=clock.now()))
    _forget_old()
    return found


def is_stepped_back() -> bool:
    """Whether somebody went back to the version in use: then the night's learning leaves it in place."""
    last = db.session.scalar(select(ModelUse).order_by(ModelUse.id.desc()).limit(1))
    return last is not None and last.is_step_back


def studied_before() -> list[str]:
    """`made_of` of what the newest trainings learnt from."""
    rows = db.session.scalars(
        select(ModelVersion.trained_on)
        .where(ModelVersion.origin == Origin.LEARNT)
        .order_by(ModelVersion.id.desc())
        .limit(20)
    )
    return [row.get("made_of", "") for row in rows]


def newest(limit: int = 20) -> Sequence[ModelVersion]:
    """The newest versions first, without their weights."""
    return db.session.scalars(select(ModelVersion).order_by(ModelVersion.id.desc()).limit(limit)).all()


def usable_ids() -> set[int]:
    """The versions that can be put in use."""
    return set(
        db.session.scalars(
            select(ModelVersion.id).where(ModelVersion.packed.is_not(None), ModelVersion.state != ModelState.IN_USE)
        )
    )


def uses(limit: int = 50) -> list[tuple[int, datetime, datetime | None]]:
    """(version, since, until) of each time of use, newest first; until None for the present one."""
    rows = db.session.execute(
        select(ModelUse.version_id, ModelUse.since).order_by(ModelUse.since.desc(), ModelUse.id.desc()).limit(limit)
    ).all()
    ends = [None, *(since for _, since in rows)]
    return [(version, since, until) for (version, since), until in zip(rows, ends, strict=False)]


def _use(version: ModelVersion, before: ModelVersion | None, *, by: Staff | None) -> None:
    """Make it the one in use, for every process."""
    if before is not None and before.id != version.id:
        before.state = ModelState.RETIRED
        # One version is in use at a time: the unique index wants the old one gone first.
        db.session.flush()
    version.state = ModelState.IN_USE
    assert version.packed is not None
    store.keep(version.packed)
    settings.changed("settings")
    db.session.add(
        ModelUse(
            version_id=version.id, since=clock.now(), by_id=by.id if by else None,
            is_step_back=by is not None and before is not None and version.id < before.id,
        )
    )  # fmt: skip
    db.session.flush()


def _forget_old() -> None:
    """Weights of versions nobody will go back to make room; their figures stay."""
    old = db.session.scalars(
        select(ModelVersion)
        .where(ModelVersion.state.in_((ModelState.RETIRED, ModelState.CANDIDATE)), ModelVersion.packed.is_not(None))
        .order_by(ModelVersion.id.desc())
        .offset(_USABLE_KEPT)
    ).all()
    for version in old:
        version.state, version.packed = ModelState.RETIRED, None
    db.session.flush()


def _sentence(name: str) -> dict[str, Any]:
    return {"key": f"learning.verdict.{name}", "params": {}}
