"""A picture of a built net as SVG: what a paper's figure would show, on any background."""

from collections.abc import Sequence
from xml.etree import ElementTree

from paribus.models.blocks import ConvNet
from paribus.models.drawing.figure import Figure, figure
from paribus.models.drawing.layout import lay_out
from paribus.models.drawing.piece import TITLE_PT
from paribus.models.drawing.places import Box, Edge, Layout, Point
from paribus.models.drawing.trace import Operation, trace

# Fill and line by kind. Text is dark on the fills; what lies on the page is grey, readable on white and on black.
_COLOURS = {
    "input": ("#ffffff", "#6b7280"), "output": ("#ffffff", "#6b7280"),
    "conv": ("#d3e4f7", "#4a7ab5"), "classifier": ("#c9e8e4", "#3b8c83"),
    "norm": ("#e8e9ec", "#8a8f98"), "act": ("#e8e9ec", "#8a8f98"),
    "pool": ("#fbdfc6", "#c47a35"), "concat": ("#e0d8f0", "#7d63b0"),
    "add": ("#d2ecd0", "#4d944a"), "scale": ("#d2ecd0", "#4d944a"),
    "gate": ("#fbeeb4", "#b5962a"), "dropout": ("#f8d3d8", "#c0576a"),
    "other": ("#f1f1ee", "#8d8d84"),
}  # fmt: skip
_SHAPED = ("input", "conv", "classifier", "pool", "concat", "other")  # those whose output shape is printed
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_STYLE = f"""
text {{ font-family: {_FONT}; font-size: 11px; fill: #1a1d23; text-anchor: middle; }}
.word {{ font-weight: bold; }}
.shape {{ font-size: 9.5px; fill: #4b515c; }}
.frame {{ font-size: 10.5px; fill: #7a808c; text-anchor: start; }}
.head {{ font-size: 14px; font-weight: bold; fill: #7a808c; text-anchor: start; }}
.times {{ font-weight: bold; fill: #c2621b; }}
.stage {{ fill: #8890a0; fill-opacity: 0.10; stroke: #8890a0; stroke-opacity: 0.55; }}
.unit {{ fill: #8890a0; fill-opacity: 0.10; stroke: #8890a0; stroke-opacity: 0.45; stroke-dasharray: 3 2; }}
.edge {{ fill: none; stroke: #808794; stroke-width: 1.1; }}
"""
_MARGIN_PT = 14.0
_HEAD_PT = 30.0


def draw(net: ConvNet, channels: int, size: int, title: str, expand: bool = False) -> str:
    """`net`, which lies on the meta device, for images (channels, size, size), as the text of an SVG file.

    Equal units in a row are drawn once, with × N, unless `expand`. A part's tooltip names its module and parameters.
    """
    shown = figure(trace(net, channels, size), net, expand)
    sizes = {number: _size(operation) for number, operation in shown.graph.items()}
    titles = {path: _frame_title(shown, path) for path in shown.titles}
    layout = lay_out(shown, sizes, {path: _text_pt("".join(text), 10.5) for path, text in titles.items()})
    return _svg(shown, layout, titles, title)


def _svg(shown: Figure, layout: Layout, titles: dict[str, tuple[str, str]], title: str) -> str:
    width = max(layout.width, _text_pt(title, 14)) + 2 * _MARGIN_PT
    height = layout.height + 2 * _MARGIN_PT + _HEAD_PT
    look = {"viewBox": f"0 0 {width:.1f} {height:.1f}", "width": f"{width:.0f}", "height": f"{height:.0f}"}
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **look})
    ElementTree.SubElement(root, "title").text = title
    ElementTree.SubElement(root, "style").text = _STYLE
    _arrowhead(root)
    _text(root, "head", (_MARGIN_PT, _MARGIN_PT + 11), title)
    body = ElementTree.SubElement(root, "g", transform=f"translate({_MARGIN_PT:g} {_MARGIN_PT + _HEAD_PT:g})")
    for path, box in sorted(layout.frames.items(), key=lambda item: item[0].count(".")):
        _frame(
            body,
            box,
            titles[path],
            layout.edges,
            "stage" if any(frames[:1] == (path,) for frames in shown.scopes.values()) else "unit",
        )
    for edge in layout.edges:
        _edge(body, edge)
    for number, operation in shown.graph.items():
        _node(body, layout.nodes[number], operation)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _frame_title(shown: Figure, path: str) -> tuple[str, str]:
    count = shown.counts.get(path, 1)
    return shown.titles[path], f"  × {count}" if count > 1 else ""


def _words(operation: Operation) -> tuple[str, str]:
    return operation.text, "".join(f" · {note}" for note in operation.notes)


def _shape(operation: Operation) -> str:
    return " × ".join(map(str, operation.shape)) if operation.kind in _SHAPED else ""


def _size(operation: Operation) -> Point:
    word, notes = _words(operation)
    width = max(_text_pt(word, 11, bold=True) + _text_pt(notes, 11), _text_pt(_shape(operation), 9.5)) + 14
    return max(width, 28.0), 34.0 if _shape(operation) else 21.0


_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'·()[]/ "), frozenset("mwMWG@%×−+=")


def _text_pt(text: str, size: float, bold: bool = False) -> float:
    """About the width of `text` at `size`, of the widest of the fonts that the picture names."""
    ems = sum(0.33 if letter in _NARROW else 0.84 if letter in _WIDE else 0.61 for letter in text)
    return ems * size * (1.06 if bold else 1.0)


def _arrowhead(root: ElementTree.Element) -> None:
    look = {"viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "6", "markerHeight": "6", "orient": "auto"}
    marker = ElementTree.SubElement(ElementTree.SubElement(root, "defs"), "marker", {"id": "arrow", **look})
    ElementTree.SubElement(marker, "path", d="M0,0.5 L8,4 L0,7.5 z", fill="#808794")


def _text(parent: ElementTree.Element, kind: str, at: Point, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, "text", {"class": kind, "x": f"{at[0]:.1f}", "y": f"{at[1]:.1f}"})
    element.text = text
    return element


def _rectangle(parent: ElementTree.Element, box: Box, radius: float, **look: str) -> None:
    place = {"x": box.left, "y": box.top, "width": box.right - box.left, "height": box.bottom - box.top, "rx": radius}
    ElementTree.SubElement(parent, "rect", {**{key: f"{value:.1f}" for key, value in place.items()}, **look})


def _frame(parent: ElementTree.Element, box: Box, title: tuple[str, str], edges: Sequence[Edge], kind: str) -> None:
    _rectangle(parent, box, 6, **{"class": kind})
    width = _text_pt("".join(title), 10.5)
    # To the right where an edge would cross the title at the left.
    places = [Box(left, box.top, left + width, box.top + TITLE_PT) for left in (box.left + 8, box.right - 8 - width)]
    place = min(places, key=lambda place: sum(_crosses(edge, place) for edge in edges))
    at_left = place is places[0]
    text = _text(parent, "frame", (place.left if at_left else place.right, box.top + TITLE_PT - 1), title[0])
    if not at_left:
        text.set("style", "text-anchor: end")
    if title[1]:
        ElementTree.SubElement(text, "tspan", {"class": "times"}).text = title[1]


def _crosses(edge: Edge, box: Box) -> bool:
    """Whether the curve comes into `box`, judged by points of it."""
    points = edge.points
    for start in range(0, len(points) - 3, 3):
        for step in range(9):
            t = step / 8
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            x, y = (sum(w * point[axis] for w, point in zip(weights, points[start:], strict=False)) for axis in (0, 1))
            if box.left <= x <= box.right and box.top <= y <= box.bottom:
                return True
    return False


def _edge(parent: ElementTree.Element, edge: Edge) -> None:
    (start, *rest) = [f"{x:.1f},{y:.1f}" for x, y in edge.points]
    look = {"class": "edge", "d": f"M{start} C{' '.join(rest)}"}
    ElementTree.SubElement(parent, "path", look | ({"marker-end": "url(#arrow)"} if edge.arrow else {}))


def _node(parent: ElementTree.Element, box: Box, operation: Operation) -> None:
    group = ElementTree.SubElement(parent, "g")
    shape = " × ".join(map(str, operation.shape))
    place = f"{operation.path or 'the net'}: {operation.params:,} parameters, puts out {shape}"
    ElementTree.SubElement(group, "title").text = place
    fill, line = _COLOURS[operation.kind]
    round_ = 11 if operation.kind in ("add", "gate", "input", "output", "norm", "act", "dropout", "scale") else 4
    _rectangle(group, box, round_, fill=fill, stroke=line)
    word, notes = _words(operation)
    shown = _shape(operation)
    text = _text(group, "word", (box.middle, (box.top + box.bottom) / 2 + (-2.5 if shown else 4)), word)
    if notes:
        ElementTree.SubElement(text, "tspan", {"font-weight": "normal"}).text = notes
    if shown:
        _text(group, "shape", (box.middle, (box.top + box.bottom) / 2 + 11), shown)
