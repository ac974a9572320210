"""Words → place, by the district's own list of names and its own map.

The longest name wins at every point of the text. A place is asserted only when the words name one: several
candidates are handed back to be asked about, never guessed, and a long road is no point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from district.geo.english import in_chinese, is_english
from district.geo.lines import Drawn
from district.geo.names import NamedPoint, plain
from district.geo.nodes import Found
from district.geo.reading import read
from district.geo.town import LARGE, SHORT_ROAD_M, HouseNumbers, Town

__all__ = ["LARGE", "SHORT_ROAD_M", "Drawn", "Found", "Gazetteer", "HouseNumbers", "NamedPoint", "plain"]


class Gazetteer:
    """An immutable index over the district's named places.

    points: rows of the gazetteer. roads, outlines: what the base map draws of them (see `lines.read_base_map`);
    numbers: how the district numbers its houses. Without them the same words are read as far as points allow.
    """

    def __init__(
        self,
        points: Iterable[NamedPoint],
        *,
        roads: Iterable[Drawn] = (),
        outlines: Mapping[str, Sequence[tuple[float, float]]] | None = None,
        numbers: HouseNumbers | None = None,
    ) -> None:
        self._town = Town(points, roads, outlines, numbers)

    def find(self, text: str) -> Found:
        """The place the text names, or the candidates to ask about."""
        if is_english(text) and (words := in_chinese(text, self._town.names)):
            return replace(read(self._town, words), span=None)
        return read(self._town, plain(text))
