"""Which of the places that a sentence names is where the problem is: one of them, or several to ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from district.geo import phrases as say
from district.geo.names import NamedPoint, plain
from district.geo.nodes import CLOSER_M, Found, Node, Part
from district.geo.town import Spot, Town

# Names within this distance mean one place ("the bank beside the school"), also when they are listed.
TOGETHER_M = 150.0
# "The bank near the square": no farther than this from it.
NEARBY_M = 500.0
MOST_CANDIDATES = 6


def choose(town: Town, words: str, nodes: Sequence[Node]) -> Found:
    """One place when the nodes that count come down to one, else what may be asked about."""
    return _Chooser(town, words, nodes).choose()


class _Chooser:
    def __init__(self, town: Town, words: str, nodes: Sequence[Node]) -> None:
        self.town = town
        self.words = words
        self.nodes = nodes

    def choose(self) -> Found:
        meant = [node for node in self.nodes if node.part is not Part.NOT_MEANT]
        if not meant:
            return Found()
        for node in meant:
            node.options = self._narrow(node, meant)
        best = min(node.part for node in meant)
        group = [node for node in meant if node.part is best]
        if best is Part.HERE and not any(self._has_point(node) or node.road for node in group):
            group += [node for node in meant if node.part in (Part.PASSED, Part.HOME)]
        candidates = self._candidates(group, meant)
        for one, other in pairwise(meant):
            if one.road and other.road and say.LISTED.match(self.words[one.end : other.start]):
                # Both roads, or from one to the other: neither of them alone, were it short enough.
                one.is_uncertain = other.is_uncertain = True
        travels = any(node.part is Part.ON_THE_WAY for node in meant)
        if best is Part.ON_THE_WAY or (best is Part.HOME and travels and not say.AT_HOME.search(self.words)):
            return Found(None, candidates)
        certain: list[tuple[Node, Spot]] = []
        unsure: list[Node] = []
        for node in group:
            if node.is_context:
                continue
            spots = self._spots(node)
            if len(spots) == 1 and not node.is_uncertain:
                certain.append((node, spots[0]))
            elif spots:
                unsure.append(node)
        if not certain:
            return Found(None, candidates)
        said = [one for one in certain if say.SAID_HERE.search(self.words[max(0, one[0].start - 6) : one[0].start])]
        if len(said) == 1 and not unsure:
            # "After shopping at the store I fell IN FRONT OF the school".
            return self._found(*said[0], candidates)
        node, spot = max(certain, key=lambda one: (_rank(one[0], one[1]), len(one[1].place.name), -one[0].start))
        apart = any(self._is_apart(node, spot, *other) for other in certain)
        doubtful = any(all(point.metres_to(spot.place) > TOGETHER_M for point in one.options) for one in unsure)
        if apart or doubtful:
            others = [other.place for _, other in certain]
            return Found(None, tuple(dict.fromkeys((*others, *candidates)))[:MOST_CANDIDATES])
        return self._found(node, spot, candidates)

    def _found(self, node: Node, spot: Spot, candidates: Sequence[NamedPoint]) -> Found:
        place, written = spot.place, self.words[node.start : node.end]
        how = node.then_how if node.then is not None else node.how
        confidence = {"sound": 0.75, "slip": 0.65}.get(node.heard, 0.95)
        if how in ("beside", "stretch", "number", "part"):
            confidence = round(confidence - 0.1, 2)
        if node.how in ("sound", "slip") or place not in self.town.rows:
            # Whoever takes the place's names out of the text finds these words too.
            place = replace(place, aliases=tuple(dict.fromkeys((*place.aliases, written))))
        ordered = (place, *(other for other in candidates if other.name != place.name or other.kind != place.kind))
        span = node.start, node.end
        return Found(place, ordered[:MOST_CANDIDATES], how, confidence, round(spot.precision_m, 1), span)

    def _is_apart(self, node: Node, spot: Spot, other: Node, second: Spot) -> bool:
        if other is node:
            return False
        metres = spot.place.metres_to(second.place)
        first, last = sorted((node, other), key=lambda one: one.start)
        gap = self.words[first.end : last.start]
        listed = len(gap) <= 2 and gap[:1] in ("和", "与", "跟", "、", "及")
        return metres > (TOGETHER_M if listed else max(CLOSER_M, min(second.precision_m, 400.0)))

    def _has_point(self, node: Node) -> bool:
        return node.spot is not None or any(self.town.is_point(point) for point in node.points)

    def _spots(self, node: Node) -> list[Spot]:
        """The places a node may stand for; none where it names nothing small enough."""
        if node.spot is not None:
            return [node.spot]
        if node.is_office and not (node.is_built or self._is_house(node)):
            return []
        points = [point for point in node.options if node.then is not None or self.town.is_point(point)]
        # A name for a house and for all the land about it: which of them is not said.
        is_vague = any(not self.town.is_point(point) for point in node.options) and not node.is_built
        if is_vague and node.road is None and (node.is_office or not node.is_related):
            return []
        found: list[Spot] = []
        for point in points:
            if node.then is not None:
                if node.is_office and not self.town.is_point(point):
                    continue
                spot = node.then(point)
            else:
                spot = Spot(point, min(self.town.radius(point), 400.0))
            if spot is not None:
                found.append(spot)
        return found

    def _is_house(self, node: Node) -> bool:
        """Whether an office's house is meant: it has no land of the same name, and somebody is at it or passes it."""
        if any(not self.town.is_point(point) for point in node.options):
            return False
        before = self.words[max(0, node.start - 4) : node.start]
        return node.is_related or node.part is Part.PASSED or bool(say.AT.search(before))

    def _narrow(self, node: Node, meant: Sequence[Node]) -> tuple[NamedPoint, ...]:
        """Those of a node's places that fit what else the text names; all when none or every one does."""
        points = node.points
        if node.spot is not None:
            return points
        attached = next(
            (
                other.road
                for other in meant
                if other.road is not None
                and other.end <= node.start
                and say.ON_ROAD.match(self.words[other.end : node.start])
            ),
            None,
        )
        small = tuple(point for point in points if self.town.is_point(point)) or points
        if attached is not None and node.road is None and node.how != "crossing":
            fitting = tuple(point for point in small if self.town.is_on(point, attached))
            if not fitting and len(small) > 1:
                fitting = tuple(point for point in small if self.town.is_named_after(point, attached))
            if not fitting and (node.is_common or len(points) > 1):
                node.is_uncertain = True
            points = fitting or points
        if len(points) == 1:
            return points
        address = tuple(p for p in points if p.kind == "address" and plain(p.name) == node.name)
        if address:
            return address
        others = [other for other in meant if other is not node and other.part < Part.ON_THE_WAY]
        if any(not self.town.is_point(point) for point in points) and not node.is_built:
            small = points
        for test in (self._on_named_road, self._in_named_area, self._near_named_place):
            fitting = test(small, others)
            if fitting:
                small = fitting
        return small

    def _on_named_road(self, points: Sequence[NamedPoint], others: Sequence[Node]) -> tuple[NamedPoint, ...]:
        roads = [other.road for other in others if other.road is not None]
        return tuple(point for point in points if any(self.town.is_on(point, road) for road in roads))

    def _in_named_area(self, points: Sequence[NamedPoint], others: Sequence[Node]) -> tuple[NamedPoint, ...]:
        named = [point for other in others for point in other.points]
        areas = {point.area_code for point in named if point.kind == "area" and point.area_code}
        communities = {point.community_code for point in named if point.kind == "community" and point.community_code}
        return tuple(point for point in points if point.area_code in areas or point.community_code in communities)

    def _near_named_place(self, points: Sequence[NamedPoint], others: Sequence[Node]) -> tuple[NamedPoint, ...]:
        """The one nearest to another place named, if it is near and the next is much farther off."""
        places = [
            other.points[0]
            for other in others
            if other.part is Part.HERE and len(other.points) == 1 and self.town.is_point(other.points[0])
        ]
        for place in places:
            ranked = sorted(points, key=lambda point: point.metres_to(place))
            if ranked[0].metres_to(place) <= NEARBY_M and (
                len(ranked) == 1 or ranked[1].metres_to(place) > 2 * ranked[0].metres_to(place) + 50
            ):
                return (ranked[0],)
        return ()

    def _candidates(self, group: Sequence[Node], meant: Sequence[Node]) -> tuple[NamedPoint, ...]:
        small = [point for node in group if self._has_point(node) for point in node.options]
        rest = [point for node in meant for point in node.options]
        return tuple(dict.fromkeys((*small, *rest)))[:MOST_CANDIDATES]


def _rank(node: Node, spot: Spot) -> int:
    """How closely the words say where: a gate or a number more than a crossing, that more than a compound."""
    if node.then is not None or node.how == "stretch" or spot.place.kind in ("gate", "building", "address"):
        return 4
    if spot.place.kind == "crossing":
        return 2
    return 1 if spot.place.kind in ("compound", "park", "village", "road", "river") else 3
