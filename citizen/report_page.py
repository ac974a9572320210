"""One report's page: where it stands, for everybody; its words, pictures and answers, for the holder of its key."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from citizen import blocked, intake, joining, own, showing
from citizen.failures import error_page, field_texts
from citizen.pages import note_seen
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import limiter
from district.messages import t
from district.notifications import unheard
from district.reports import glimpses, photos, queries, questions, similar, urging
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Report
from district.work import unit_of_work

pages = Blueprint("report_page", __name__, template_folder="templates", url_prefix="/r")

ACTING_LIMIT = "30 per minute; 300 per hour"


def _refused(response: Response) -> bool:
    """What counts against the limit of guesses: a number or a key that was not right."""
    return response.status_code in (403, 404)


@pages.get("/<number>")
@limiter.limit("60 per minute; 600 per hour", deduct_when=_refused)
def show(number: str) -> Response:
    """The page. With its key (in the address or remembered by the browser) all of it; else the public part."""
    return _page(_find(number))


@pages.post("/<number>/rating")
@limiter.limit(ACTING_LIMIT)
def rate(number: str) -> Response:
    """Solved or not, stars, reasons."""
    solved = request.form.get("solved")
    stars = request.form.get("stars", "")
    reasons = [reason for reason in request.form.getlist("reasons") if reason in showing.RATING_REASONS]

    def act(report: Report, text: str, _photo_ids: list[int]) -> None:
        if solved not in ("yes", "no"):
            raise BadInput(fields={"solved": "citizen.errors.solved"})
        reports.rate(
            report,
            by=KEY_HOLDER,
            solved=solved == "yes",
            stars=int(stars) if stars.isdecimal() and len(stars) == 1 else None,
            reasons=reasons,
            text=text,
        )

    return _act(number, act, done="rated" if solved == "yes" else "reopened")


@pages.post("/<number>/reopen")
@limiter.limit(ACTING_LIMIT)
def reopen(number: str) -> Response:
    """It is not solved after all."""

    def act(report: Report, text: str, photo_ids: list[int]) -> None:
        reports.reopen(report, by=KEY_HOLDER, text=text, photo_ids=photo_ids)

    return _act(number, act, done="reopened")


@pages.post("/<number>/more")
@limiter.limit(ACTING_LIMIT)
def add_words(number: str) -> Response:
    """More words or pictures."""

    def act(report: Report, text: str, photo_ids: list[int]) -> None:
        blocked.refuse(text)
        reports.comment(report, by=KEY_HOLDER, text=text, photo_ids=photo_ids)

    return _act(number, act, done="added")


@pages.post("/<number>/urge")
@limiter.limit(ACTING_LIMIT)
def urge(number: str) -> Response:
    """The resident asks that it be hurried."""

    def act(report: Report, _text: str, _photo_ids: list[int]) -> None:
        urging.urge(report, by=KEY_HOLDER)

    return _act(number, act, done="urged")


@pages.post("/<number>/answer")
@limiter.limit(ACTING_LIMIT)
def answer(number: str) -> Response:
    """What staff asked is answered; their clock goes on."""

    def act(report: Report, text: str, photo_ids: list[int]) -> None:
        questions.answer(report, by=KEY_HOLDER, text=text, photo_ids=photo_ids)

    return _act(number, act, done="answered")


@pages.post("/<number>/withdraw")
@limiter.limit(ACTING_LIMIT)
def withdraw(number: str) -> Response:
    """The resident takes it back."""

    def act(report: Report, _text: str, _photo_ids: list[int]) -> None:
        reports.withdraw(report, by=KEY_HOLDER)

    return _act(number, act, done="withdrawn")


@pages.post("/<number>/support")
@limiter.limit(ACTING_LIMIT)
def support(number: str) -> Response:
    """Somebody else has the same trouble: no key needed, once a browser."""
    report = _find(number)
    joining.join(report)
    response = make_response(redirect(url_for("report_page.show", number=report.number, done="supported"), 303))
    joining.remember(response, report)
    return response


def _find(number: str) -> Report:
    """The report, or NotFound with a page that helps."""
    return reports.find(number)


@pages.errorhandler(NotFound)
def _unknown(error: NotFound) -> Response:
    return error_page(404, t("citizen.report.unknown"), t("citizen.report.unknown_help"), look_up=True)


def _page(report: Report, *, status: int = 200, wrong: dict[str, str] | None = None, words: str = "") -> Response:
    key = own.key_of(report, request.values.get("key"))
    if key is None and not showing.is_public(report):
        raise NotFound("errors.report_unknown")
    whole = queries.whole(report.id) or report
    shown = showing.joined(whole)
    is_new = request.args.get("new") == "1" and key is not None
    response = make_response(
        render_template(
            "citizen/report.html",
            report=whole,
            shown=shown,
            key=key,
            looks=key is None and glimpses.is_valid(report.number, request.args.get("look")),
            key_wrong=key is None and bool(request.values.get("key")),
            state=showing.plain_state(whole),
            steps=showing.steps(whole, private=key is not None)[::-1],
            buttons=showing.buttons(whole) if key else set(),
            may_urge=key is not None and urging.can_be_hurried(whole),
            has_urged=key is not None and urging.urged_lately(whole),
            question=questions.pending_of(whole) if key else None,
            before=showing.pictures_for(whole, "before"),
            after=showing.pictures_for(shown, "after", "check"),
            show=showing,
            is_new=is_new,
            similar=showing.similar_to(similar.of_report(whole)) if is_new and shown is whole else [],
            done=request.args.get("done", "") if request.args.get("done") in _DONE else "",
            supported=report.number in joining.numbers(),
            most_photos=photos.MOST_PHOTOS,
            tile_url=current_app.config["TILE_URL"],
            emergency=showing.emergency_line(whole) if request.args.get("new") == "1" and key else None,
            wrong=wrong or {},
            words=words,
        ),
        status,
    )
    if key is not None and report.number not in own.known_keys():
        own.remember(response, report)
    response.headers["X-Robots-Tag"] = "noindex"
    if key is not None and status == 200:
        # Its story tells every step, also those that never arrived.
        note_seen(unheard.waiting(report_ids=[report.id]))
    return response


_DONE = frozenset({"rated", "reopened", "added", "withdrawn", "supported", "answered", "urged"})


def _act(number: str, act: Callable[[Report, str, list[int]], object], *, done: str) -> Response:
    """Do something as the holder of the key, with the form's text and pictures; then show the page.

    The browser's cookie opens the page but never acts: what acts is the key in the form, which a forged form lacks.
    """
    report = _find(number)
    if not own.right_key(report, request.form.get("key")):
        if not showing.is_public(report):
            raise NotFound("errors.report_unknown")
        raise NotAllowed("errors.key_wrong")
    try:
        text = intake.read_text(request.form, "text")
        pictures = intake.read_pictures(request.files.getlist("photos"))
        with unit_of_work():
            photo_ids = [photos.add_uploaded(picture).id for picture in pictures]
            act(reports.lock(report.id), text, photo_ids)
    except BadInput as error:
        return _page(_find(number), status=422, wrong=field_texts(error), words=t(error.key, **error.params))
    except WrongState as error:
        return _page(_find(number), status=409, words=t(error.key, **error.params))
    return redirect(url_for("report_page.show", number=report.number, key=report.access_key, done=done), 303)
