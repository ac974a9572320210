"""What a conversation is made of: where a resident is in it, what may be asked, wanted and said. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from bot.corrections import Correction
from bot.words import Words


class Step(StrEnum):
    IDLE = "idle"
    NEED_WHAT = "need_what"
    NEED_PLACE = "need_place"
    CHOOSE_PLACE = "choose_place"
    CHOOSE_PROBLEM = "choose_problem"
    CONFIRM_WITHDRAWAL = "confirm_withdrawal"
    CHOOSE_SIMILAR = "choose_similar"
    CHOOSE_PARTS = "choose_parts"
    DANGER_PLACE = "danger_place"  # as NEED_PLACE, but it is filed soon even without
    FIX_PLACE = "fix_place"  # the filed report is at the wrong place
    FIX_WHAT = "fix_what"
    CHOOSE_REASON = "choose_reason"
    CHOOSE_PIECE = "choose_piece"  # to which of the reports just made a picture belongs


# Whoever leaves here without a word has still told us something that must not be lost.
UNFINISHED = frozenset({Step.CHOOSE_SIMILAR, Step.CHOOSE_PARTS, Step.DANGER_PLACE})


class PlaceFrom(StrEnum):
    """Where a place comes from, in the district's words for it."""

    SHARED = "shared"
    GAZETTEER = "gazetteer"
    WORDS = "words"


@dataclass(frozen=True)
class Place:
    """Degrees in WGS-84, both None when only the words are known."""

    latitude: float | None
    longitude: float | None
    address: str = ""
    source: PlaceFrom = PlaceFrom.SHARED


@dataclass(frozen=True)
class FacilityCard:
    """A facility as the chat shows it. problems: the usual ones, most usual first; category: of these, "" unknown."""

    id: int
    code: str
    name: str
    kind: str
    address: str
    problems: tuple[str, ...] = ()
    category: str = ""
    open_number: str | None = None
    open_id: int | None = None
    open_is_mine: bool = False
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class ReportCard:
    """A report as its resident sees it. status: the words of `status.plain`, already in their language.

    due: when it will be handled, as residents read it; "" while nobody has it, or when it is done.
    can_correct: its own words and place may still be changed. unit: who has it. category: its code, None unknown.
    """

    id: int
    number: str
    status: str
    words: str
    link: str
    is_mine: bool
    is_closed: bool = False
    is_ended: bool = False
    is_rated: bool = False
    can_withdraw: bool = False
    can_correct: bool = False
    note: str = ""
    unit: str = ""
    due: str = ""
    is_overdue: bool = False
    reopened: int = 0
    category: str | None = None


@dataclass(frozen=True)
class SimilarCard:
    """An open report that may be about the same thing. what: its kind, never the words of whoever reported it."""

    id: int
    number: str
    what: str
    metres: int
    status: str
    link: str
    is_mine: bool = False
    has_photo: bool = False


@dataclass(frozen=True)
class Danger:
    """Whom to call at once. say: the sentence that tells it, where the district has one of its own."""

    name: str
    phone: str
    say: str = ""


@dataclass(frozen=True)
class Reading:
    """What a text says, as far as words and the gazetteer tell.

    places: the places it may name, best first; one means it is sure. is_only_place: nothing else is in it.
    near: a road or quarter it names, which is too large to be a place.
    number: a well-formed report number. category: a code when the problem is clear enough to be told from others.
    intent: what the writer wants, in the names of design section 5. is_critical: it cannot wait; there are `dangers`
    then, too.
    """

    places: tuple[Place, ...] = ()
    is_only_place: bool = False
    dangers: tuple[Danger, ...] = ()
    number: str | None = None
    facility: FacilityCard | None = None
    near: str = ""
    category: str | None = None
    intent: str = "report"


class World(Protocol):
    """What the dialogue may ask. Nothing here changes anything."""

    @property
    def now(self) -> datetime: ...

    @property
    def words(self) -> Words: ...

    def read(self, text: str) -> Reading: ...

    def facility(self, scanned: str) -> FacilityCard | None: ...

    def place(self, latitude: float, longitude: float, label: str) -> Place | None: ...

    def report(self, number: str) -> ReportCard | None: ...

    def my_reports(self) -> Sequence[ReportCard]: ...

    def to_rate(self) -> ReportCard | None: ...

    def similar(self, talk: Talk) -> Sequence[SimilarCard]: ...

    def parts(self, text: str) -> Sequence[str]: ...

    def category_name(self, code: str) -> str: ...

    def form_link(self, talk: Talk) -> str: ...

    def staff_with_code(self, code: str) -> str | None: ...

    def sentence(self, key: str, **params: Any) -> str: ...


# What the dialogue wants done


@dataclass(frozen=True)
class KeepPhoto:
    """Fetch this picture and remember it as part of the report being made."""

    media_id: str


@dataclass(frozen=True)
class FileReport:
    """File what was gathered; photos kept in this very turn belong to it too.

    is_old: its first photo came so long ago that it may have been tidied away. piece: which of `Talk.last_pieces` it
    becomes, None for a report of its own. is_another: they were shown what is reported already, and it is none of it.
    """

    description: str
    photo_ids: tuple[int, ...]
    place: Place | None
    facility_id: int | None
    is_critical: bool
    scanned: bool
    intent: str = "report"
    is_old: bool = False
    category: str | None = None
    piece: int | None = None
    is_another: bool = False


@dataclass(frozen=True)
class AddPhoto:
    """follows: the report is somebody else's, which this resident follows."""

    report_id: int
    media_id: str
    follows: bool = False


@dataclass(frozen=True)
class MovePhotos:
    """Pictures went to the wrong one of two reports: those of these names of WeChat's, or with these ids."""

    from_id: int
    to_id: int
    media_ids: tuple[str, ...] = ()
    photo_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class AddWords:
    """photo_ids: pictures that were kept for a report which turned out to be this one. reason: a code of `REASONS`.

    follows: as in `AddPhoto`. urges: it asks that the report be hurried.
    """

    report_id: int
    text: str
    photo_ids: tuple[int, ...] = ()
    reason: str = ""
    follows: bool = False
    urges: bool = False


@dataclass(frozen=True)
class Fix:
    """Set a filed report right; what can no longer be changed is passed on as words.

    correction: what was said against what; None where only the place is new.
    """

    report_id: int
    said: str
    correction: Correction | None = None
    category: str | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Support:
    """Somebody else has reported it: tell this resident of every step, too. text, photo_ids: what they had to say."""

    report_id: int
    text: str = ""
    photo_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rate:
    report_id: int
    solved: bool
    stars: int | None


@dataclass(frozen=True)
class Reopen:
    report_id: int


@dataclass(frozen=True)
class Withdraw:
    report_id: int


@dataclass(frozen=True)
class AnswerQuestion:
    """What staff asked about this report is answered, in words or with a picture."""

    report_id: int
    text: str = ""
    media_id: str | None = None


@dataclass(frozen=True)
class BindStaff:
    """Whoever writes is a member of staff, who was given this code at the panel."""

    code: str


Action = (
    KeepPhoto | FileReport | AddPhoto | MovePhotos | AddWords | Fix | Support | Rate | Reopen | Withdraw
    | AnswerQuestion | BindStaff
)  # fmt: skip


@dataclass(frozen=True)
class Say:
    """A sentence of the catalogue. Each of `lines` is shown on a line of its own below it.

    A parameter may be a sentence itself, or a list of them. filed: the number and link of which report filed in this
    turn fill it, counted from 0.
    """

    key: str
    params: dict[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    filed: int = 0


@dataclass
class Talk:
    """Where a resident is in the conversation; what `Conversation.draft` holds.

    asked: how often each missing thing was asked for. choices: places offered by number.
    near: a road or quarter that was named, too large to be the place. voices: voice messages nobody can read.
    similar: open reports offered by number. parts: the problems of one message, each with what is known of it.
    piece: the part that `similar` is about.
    reason_id: the report whose resident was asked what was not good.
    last_*: the report just filed or touched, to which more photos and words still belong. last_follows: it is
    somebody else's. last_pieces: the reports made of one message, last_piece: where its pictures are, last_photo_ids:
    those that came with it, last_pictures: those that came since.
    """

    step: Step = Step.IDLE
    words: list[str] = field(default_factory=list)
    photo_ids: list[int] = field(default_factory=list)
    photo_count: int = 0
    photos_since: str = ""
    category: str | None = None
    intent: str = "report"
    near: str = ""
    place: dict[str, Any] | None = None
    facility: dict[str, Any] | None = None
    scanned: bool = False
    danger: dict[str, str] | None = None
    asked: dict[str, int] = field(default_factory=dict)
    asked_at: str = ""
    choices: list[dict[str, Any]] = field(default_factory=list)
    last_id: int | None = None
    last_number: str = ""
    last_at: str = ""
    last_category: str | None = None
    last_place: list[float] | None = None
    last_follows: bool = False
    last_pieces: list[dict[str, Any]] = field(default_factory=list)
    last_piece: int = 0
    last_photo_ids: list[int] = field(default_factory=list)
    last_pictures: list[str] = field(default_factory=list)
    withdraw_id: int | None = None
    withdraw_number: str = ""
    voices: int = 0
    similar: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    piece: int | None = None
    reason_id: int | None = None
    reason_number: str = ""

    @property
    def is_open(self) -> bool:
        """Something is being reported."""
        return bool(self.words or self.photo_count or self.place or self.facility or self.voices)

    def clear(self) -> None:
        """Forget the report being made; remember the one just filed."""
        mine = vars(self)
        mine.update((name, value) for name, value in vars(Talk()).items() if not name.startswith("last_"))

    def to_json(self) -> dict[str, Any]:
        """Only what differs from a fresh talk: most rows are nearly empty."""
        mine = vars(self)
        return {name: mine[name] for name, value in _FRESH.items() if mine[name] != value}

    @classmethod
    def from_json(cls, step: str, kept: dict[str, Any]) -> Talk:
        """What an older version wrote and this one does not know is left out."""
        return cls(
            step=Step(step) if step in _STEPS else Step.IDLE,
            **{name: value for name, value in kept.items() if name in _FRESH},
        )


@dataclass
class Turn:
    """The outcome of one message."""

    talk: Talk
    says: list[Say] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def say(self, key: str, *lines: str, filed: int = 0, **params: Any) -> None:
        self.says.append(Say(key, params, lines, filed))


_STEPS = frozenset(Step)
_FRESH = {name: value for name, value in vars(Talk()).items() if name != "step"}
