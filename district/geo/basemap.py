"""Turn a district's GeoJSON layers into the small JSON files our own map draws.

Pure: dictionaries in, dictionaries out. The caller decides where they are kept and served. Three files, so that a
telephone fetches no more than it shows:

- `base_map`: everything but buildings, the borders of the areas and the names of compounds (about 45 KB gzipped
  for the demo district, whose GeoJSON is over a megabyte);
- `buildings`: footprints, fetched only when somebody zooms in;
- `area_shapes`: whole polygons of areas or communities, for maps that colour them.

The format. Coordinates are integers: degrees times `scale`, less `origin`; a line is one flat list
`[x0, y0, dx1, dy1, ...]`, each point as the difference from the one before. A ring leaves out its closing point.
`layers` is a list of `[kind, class, items]` in drawing order; an item is

- a polygon: `[rings]` or `[rings, name, x, y]` with the place of its label;
- a line: `[line]` or `[line, name]`; roads, rails and watercourses carry their width in metres as a third entry;
- a point: `[x, y, name]`.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Json = dict[str, Any]
Point = tuple[int, int]
Ring = list[Point]
# Where it begins, how far it goes east and north, the latitude where it ends, and its length squared.
Edge = tuple[int, int, int, int, int, int]

FORMAT = 1
SCALE = 100_000  # about a metre: finer than any screen shows at our closest zoom but for buildings
BUILDING_SCALE = 1_000_000  # a building's corners must stay square

# From the bottom to the top. Kinds not named here are not drawn.
DRAWING_ORDER = (
    "background",
    "forest",
    "landuse",
    "protection",
    "park",
    "water",
    "waterline",
    "road",
    "rail",
    "poi",
    "hill",
    "place",
)
# Within a kind, the lesser class first, so that a main road crosses over a lane.
CLASS_ORDER = ("rural", "lane", "street", "main")
# The names of rivers and brooks run along their centre lines instead.
LABELLED = {("park", "park"), ("park", "square"), ("park", "pocket"), ("water", "pond")}


def base_map(basemap: Json, grids: Json | None = None, compounds: Json | None = None) -> Json:
    """The map's ground, roads, points, borders and names.

    basemap, grids, compounds: GeoJSON FeatureCollections in WGS-84, as a district folder holds them.
    """
    features = [f for f in basemap["features"] if f["properties"].get("kind") in DRAWING_ORDER]
    origin = _origin(features)
    grouped: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for feature in features:
        properties = feature["properties"]
        grouped[properties["kind"], properties.get("class", "")].append(feature)
    layers = [
        [kind, class_, [_item(feature, origin) for feature in grouped[kind, class_]]]
        for kind, class_ in sorted(grouped, key=_drawing_rank)  # else in the file's own order: sorting is stable
    ]
    return {
        "format": FORMAT,
        "scale": SCALE,
        "origin": list(origin),
        "bounds": _bounds(features),
        "synthetic": bool(basemap.get("synthetic")),
        "layers": layers,
        "borders": _borders(grids, origin) if grids else {},
        "areas": _area_labels(grids, origin) if grids else {},
        "compounds": [_outline(feature, origin) for feature in compounds["features"]] if compounds else [],
    }


def with_areas(base: Json, grids: Json) -> Json:
    """A finished base map with the borders and names of other areas; the ground stays as it was drawn."""
    origin = (base["origin"][0], base["origin"][1])
    return base | {"borders": _borders(grids, origin), "areas": _area_labels(grids, origin)}


def buildings(basemap: Json) -> Json:
    """The footprints alone, a layer a class."""
    features = [f for f in basemap["features"] if f["properties"].get("kind") == "building"]
    origin = _origin(features, BUILDING_SCALE)
    grouped: dict[str, list[Any]] = defaultdict(list)
    for feature in features:
        rings = [_deltas(ring) for ring in _rings(feature["geometry"], origin, BUILDING_SCALE)]
        grouped[feature["properties"].get("class", "")].append([rings])
    return {
        "format": FORMAT,
        "scale": BUILDING_SCALE,
        "origin": list(origin),
        "layers": [["building", class_, items] for class_, items in sorted(grouped.items())],
    }


def area_shapes(grids: Json, level: str = "area") -> Json:
    """Whole polygons of one level (area, community, grid) with their codes and names, for colouring."""
    features = [f for f in grids["features"] if f["properties"].get("level") == level]
    origin = _origin(features)
    return {
        "format": FORMAT,
        "scale": SCALE,
        "origin": list(origin),
        "level": level,
        "areas": [
            [f["properties"]["code"], f["properties"]["name"], [_deltas(r) for r in _rings(f["geometry"], origin)]]
            for f in features
        ],
    }


def label_point(rings: Sequence[Sequence[Point]], precision: float = 0.05) -> Point:
    """The point inside a polygon farthest from its edges, where a label sits best.

    Cells of a quadtree are tried from the most promising on, until none can beat the best by more than `precision`
    of the polygon's smaller side.
    """
    outer = rings[0]
    min_x, max_x = min(p[0] for p in outer), max(p[0] for p in outer)
    min_y, max_y = min(p[1] for p in outer), max(p[1] for p in outer)
    size = min(max_x - min_x, max_y - min_y)
    if size <= 0:
        return outer[0]
    edges = _edges(rings)
    half, precision = size / 2, size * precision
    best_x, best_y = (min_x + max_x) / 2, (min_y + max_y) / 2
    best = _distance_to_edge(best_x, best_y, edges)
    cells: list[tuple[float, float, float, float, float]] = []

    def consider(x: float, y: float, h: float) -> None:
        distance = _distance_to_edge(x, y, edges)
        heapq.heappush(cells, (-(distance + h * math.sqrt(2)), distance, x, y, h))

    x = float(min_x)
    while x < max_x:
        y = float(min_y)
        while y < max_y:
            consider(x + half, y + half, half)
            y += size
        x += size
    while cells:
        promise, distance, x, y, h = heapq.heappop(cells)
        if distance > best:
            best, best_x, best_y = distance, x, y
        if best > 0 and -promise - best <= precision:
            break
        if h < 0.5:  # finer than the numbers themselves
            continue
        h /= 2
        for dx, dy in ((-h, -h), (h, -h), (-h, h), (h, h)):
            consider(x + dx, y + dy, h)
    return round(best_x), round(best_y)


def _drawing_rank(key: tuple[str, str]) -> tuple[int, int]:
    kind, class_ = key
    return DRAWING_ORDER.index(kind), CLASS_ORDER.index(class_) if class_ in CLASS_ORDER else -1


def _item(feature: Json, origin: Point) -> list[Any]:
    properties, geometry = feature["properties"], feature["geometry"]
    name = properties.get("name")
    match geometry["type"]:
        case "Point":
            x, y = _integers([geometry["coordinates"]], origin)[0]
            return [x, y, name or ""]
        case "LineString":
            line = _deltas(_thin(_integers(geometry["coordinates"], origin)))
            width = properties.get("width")
            if width is not None:
                return [line, name or "", width]
            return [line, name] if name else [line]
        case "Polygon" | "MultiPolygon":
            rings = [_thin(ring, closed=True) for ring in _rings(geometry, origin)]
            shape = [_deltas(ring) for ring in rings]
            if name and (properties["kind"], properties.get("class")) in LABELLED:
                return [shape, name, *label_point(rings)]
            return [shape]
        case other:
            raise ValueError(f"a base map feature is a {other}, which the map cannot draw")


def _outline(feature: Json, origin: Point) -> list[Any]:
    rings = _rings(feature["geometry"], origin)
    return [[_deltas(ring) for ring in rings], feature["properties"].get("name", ""), *label_point(rings)]


def _borders(grids: Json, origin: Point) -> dict[str, list[list[int]]]:
    """Every border once, as long lines: two neighbours each drawing their own edge would fill up the dashes.

    A border that already is an area's is left out among the communities'.
    """
    borders: dict[str, list[list[int]]] = {}
    drawn: set[tuple[Point, Point]] = set()
    for level in ("area", "community"):
        edges: set[tuple[Point, Point]] = set()
        for feature in grids["features"]:
            if feature["properties"].get("level") != level:
                continue
            for ring in _rings(feature["geometry"], origin):
                for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
                    if a != b:
                        edges.add((min(a, b), max(a, b)))
        edges -= drawn
        drawn |= edges
        borders[level] = [_deltas(line) for line in _chains(edges)]
    return borders


def _chains(edges: Iterable[tuple[Point, Point]]) -> list[Ring]:
    """Join edges end to end into lines that stop only where three or more meet, or none goes on."""
    neighbours: dict[Point, list[Point]] = defaultdict(list)
    left: set[tuple[Point, Point]] = set()
    for a, b in sorted(edges):
        neighbours[a].append(b)
        neighbours[b].append(a)
        left.add((a, b))

    def take(a: Point, b: Point) -> bool:
        edge = (min(a, b), max(a, b))
        if edge in left:
            left.discard(edge)
            return True
        return False

    def walk(start: Point, step: Point) -> Ring:
        line = [start, step]
        while len(neighbours[line[-1]]) == 2:
            here, before = line[-1], line[-2]
            onward = next((n for n in neighbours[here] if n != before), None)
            if onward is None or not take(here, onward):
                break
            line.append(onward)
        return line

    lines = []
    for node in sorted(neighbours):
        if len(neighbours[node]) != 2:
            for step in neighbours[node]:
                if take(node, step):
                    lines.append(walk(node, step))
    for a, b in sorted(left):  # what remains are closed loops
        if take(a, b):
            lines.append(walk(a, b))
    return lines


def _area_labels(grids: Json, origin: Point) -> dict[str, list[list[Any]]]:
    labels: dict[str, list[list[Any]]] = {"area": [], "community": []}
    for feature in grids["features"]:
        level = feature["properties"].get("level")
        if level in labels:
            x, y = label_point(_rings(feature["geometry"], origin))
            labels[level].append([x, y, feature["properties"]["name"]])
    return labels


def _origin(features: Sequence[Json], scale: int = SCALE) -> Point:
    west, south, _, _ = _bounds(features)
    return math.floor(west * scale), math.floor(south * scale)


def _bounds(features: Sequence[Json]) -> list[float]:
    """[west, south, east, north] in degrees; of the background alone where there is one."""
    ground = [f for f in features if f["properties"].get("kind") == "background"] or features
    points = [point for feature in ground for point in _all_points(feature["geometry"])]
    if not points:
        return [0.0, 0.0, 0.0, 0.0]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return [min(xs), min(ys), max(xs), max(ys)]


def _all_points(geometry: Json) -> Iterable[Sequence[float]]:
    match geometry["type"]:
        case "Point":
            return [geometry["coordinates"]]
        case "LineString":
            return list(geometry["coordinates"])
        case "Polygon":
            return list(geometry["coordinates"][0])
        case "MultiPolygon":
            return [point for polygon in geometry["coordinates"] for point in polygon[0]]
        case other:
            raise ValueError(f"a base map feature is a {other}, which the map cannot draw")


def _rings(geometry: Json, origin: Point, scale: int = SCALE) -> list[Ring]:
    """A polygon's rings without their closing points. The parts of a MultiPolygon follow one another."""
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [_integers(ring[:-1], origin, scale) for polygon in polygons for ring in polygon]


def _integers(points: Iterable[Sequence[float]], origin: Point, scale: int = SCALE) -> Ring:
    ox, oy = origin
    return [(round(p[0] * scale) - ox, round(p[1] * scale) - oy) for p in points]


def _deltas(points: Sequence[Point]) -> list[int]:
    flat: list[int] = []
    before_x = before_y = 0
    for x, y in points:
        flat += (x - before_x, y - before_y)
        before_x, before_y = x, y
    return flat


def _thin(points: Ring, *, closed: bool = False, tolerance: float = 0.6) -> Ring:
    """Leave out points that lie on the line of their neighbours to within `tolerance` units (Douglas-Peucker)."""
    if len(points) < 5:
        return points
    work = [*points, points[0]] if closed else points
    keep = [False] * len(work)
    keep[0] = keep[-1] = True
    spans = [(0, len(work) - 1)]
    if closed:  # a ring starts where it ends: split it at the point farthest from there
        middle = max(range(len(work)), key=lambda i: math.dist(work[i], work[0]))
        keep[middle] = True
        spans = [(0, middle), (middle, len(work) - 1)]
    while spans:
        first, last = spans.pop()
        worst, at = tolerance, 0
        for i in range(first + 1, last):
            distance = _distance_to_segment(*work[i], work[first], work[last])
            if distance > worst:
                worst, at = distance, i
        if at:
            keep[at] = True
            spans += [(first, at), (at, last)]
    thinned = [point for point, kept in zip(work, keep, strict=True) if kept]
    return thinned[:-1] if closed else thinned


def _distance_to_segment(x: float, y: float, a: Point, b: Point) -> float:
    near_x, near_y = float(a[0]), float(a[1])
    dx, dy = b[0] - a[0], b[1] - a[1]
    if dx or dy:
        t = max(0.0, min(1.0, ((x - near_x) * dx + (y - near_y) * dy) / (dx * dx + dy * dy)))
        near_x, near_y = near_x + t * dx, near_y + t * dy
    return math.hypot(x - near_x, y - near_y)


def _edges(rings: Sequence[Sequence[Point]]) -> list[Edge]:
    """Every edge of a polygon once, as `_distance_to_edge` wants it."""
    edges = []
    for ring in rings:
        before = ring[-1]
        for point in ring:
            (ax, ay), (bx, by) = before, point
            dx, dy = bx - ax, by - ay
            # An edge without a length is its point.
            edges.append((ax, ay, dx, dy, by, dx * dx + dy * dy or 1))
            before = point
    return edges


def _distance_to_edge(x: float, y: float, edges: Sequence[Edge]) -> float:
    """Distance from a point to the nearest edge, negative outside the polygon."""
    inside, nearest = False, math.inf
    for ax, ay, dx, dy, by, squared in edges:
        px, py = x - ax, y - ay
        if (ay > y) != (by > y) and px < dx * py / dy:
            inside = not inside
        t = (px * dx + py * dy) / squared
        if t > 0:
            if t > 1:
                t = 1
            px -= t * dx
            py -= t * dy
        distance = px * px + py * py
        if distance < nearest:
            nearest = distance
    return math.sqrt(nearest) if inside else -math.sqrt(nearest)
