"""One label as a vector drawing for engravers and printers of plates: letters are outlines, no font is needed."""

from __future__ import annotations

from collections.abc import Iterable

from district.labels.shapes import Code, Shape, Stroke, Words
from district.labels.typeface import Typeface


def drawing(width: float, height: float, shapes: Iterable[Shape], typeface: Typeface) -> str:
    """An SVG of this many millimetres."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}">'
    ]
    for shape in shapes:
        if isinstance(shape, Words):
            parts.append(f'<path d="{typeface.path(shape.text, shape.x, shape.y, shape.size)}"/>')
        elif isinstance(shape, Code):
            squares = "".join(f"M{column} {row}h{length}v1h-{length}z" for row, column, length in shape.runs)
            move = f"translate({shape.x:g} {shape.y:g}) scale({shape.size / shape.modules:.6f})"
            parts.append(f'<path shape-rendering="crispEdges" transform="{move}" d="{squares}"/>')
        elif isinstance(shape, Stroke):
            parts.append(
                f'<path fill="none" stroke="#000" stroke-width="{shape.line:g}" '
                f'd="M{shape.x:g} {shape.y:g}L{shape.to_x:g} {shape.to_y:g}"/>'
            )
        else:
            dashes = ' stroke-dasharray="0.8"' if shape.is_dashed else ""
            parts.append(
                f'<rect x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}" '
                f'rx="{shape.radius:g}" fill="none" stroke="#000" stroke-width="{shape.line:g}"{dashes}/>'
            )
    return "\n".join([*parts, "</svg>\n"])
