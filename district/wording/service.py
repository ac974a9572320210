"""Wording a sentence anew and taking that back. None commits; every process reads it within seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from district import audit, settings
from district.errors import BadInput, NotAllowed, NotFound, StaleVersion
from district.messages import LANGUAGES, catalogue
from district.people.models import Staff
from district.people.roles import Role
from district.reference import forget as read_again
from district.wording.sentences import KEYS, Fault, fault_of
from district.words import clean

# {language: {key: text}}: the district's folder's, and over it the panel's, which loading the folder again leaves.
FOLDER, PANEL = "wording", "wording:panel"


class WrongWording(BadInput):
    """faults: by language, what is wrong with it."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        super().__init__(fields={tag: fault.key for tag, fault in faults.items()})
        self.faults = dict(faults)


def originals(key: str) -> dict[str, str]:
    """The sentence by language without the panel: as the district's folder words it, else the catalogue."""
    folder = settings.get(FOLDER) or {}
    return {tag: folder.get(tag, {}).get(key) or catalogue(tag)[key] for tag in LANGUAGES}


def present(key: str) -> dict[str, str]:
    """The sentence by language as it is said now."""
    said = settings.get(PANEL) or {}
    return {tag: said.get(tag, {}).get(key) or text for tag, text in originals(key).items()}


def changed() -> frozenset[str]:
    """The sentences that the panel words."""
    said = settings.get(PANEL) or {}
    return frozenset(key for sentences in said.values() for key in sentences)


def state_of(key: str) -> str:
    """Tells two states of a sentence apart, so that nobody overwrites what another has just written."""
    return hashlib.sha256(json.dumps(present(key), sort_keys=True).encode()).hexdigest()[:16]


def known(key: str) -> str:
    """Raises NotFound for a sentence that may not be worded here."""
    if key not in KEYS:
        raise NotFound()
    return key


def save(key: str, texts: Mapping[str, str], *, seen: str, by: Staff) -> None:
    """Say it so from now on, in both languages. seen: `state_of` when the form was opened.

    Raises NotFound, NotAllowed for anybody but an administrator, WrongWording, and StaleVersion when somebody else
    has worded it meanwhile.
    """
    _require_keeper(by)
    known(key)
    new = {tag: clean(texts.get(tag, "")) for tag in LANGUAGES}
    faults = {tag: fault_of(key, text, catalogue(tag)[key]) for tag, text in new.items()}
    wrong = {tag: fault for tag, fault in faults.items() if fault is not None}
    if wrong:
        raise WrongWording(wrong)
    # Counting up locks: of two who save at once the second finds what the first wrote.
    settings.changed("wording")
    if state_of(key) != seen:
        raise StaleVersion()
    before, own = present(key), originals(key)
    if new != before:
        _put(key, {tag: text for tag, text in new.items() if text != own[tag]})
        audit.record(by, "sentence.change", f"sentence:{key}", before=before, after=new)


def reset(key: str, *, by: Staff) -> None:
    """Say it as it was before the panel. Raises as `save` does."""
    _require_keeper(by)
    known(key)
    settings.changed("wording")
    before = present(key)
    if key in changed():
        _put(key, {})
        audit.record(by, "sentence.reset", f"sentence:{key}", before=before, after=originals(key))


def seen_at_once() -> None:
    """This process says it so at its next question; the others within seconds."""
    read_again()


def _put(key: str, texts: Mapping[str, str]) -> None:
    said = settings.get(PANEL) or {}
    kept = {tag: {name: text for name, text in said.get(tag, {}).items() if name != key} for tag in LANGUAGES}
    for tag, text in texts.items():
        kept[tag][key] = text
    settings.put(PANEL, kept)


def _require_keeper(by: Staff) -> None:
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
