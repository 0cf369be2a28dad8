"""Where things lie on a picture, in points; y grows downwards."""

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle by its corners; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def moved(self, x: float, y: float) -> "Box":
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Edge:
    """A curve of cubic pieces: a start, then three points for each; `arrow` at its end or not."""

    points: tuple[Point, ...]
    arrow: bool = True

    def moved(self, x: float, y: float) -> "Edge":
        return Edge(tuple((px + x, py + y) for px, py in self.points), self.arrow)


@dataclass(frozen=True)
class Layout:
    """Everything placed, and the size of the whole, in points."""

    width: float
    height: float
    nodes: dict[int, Box]
    frames: dict[str, Box]
    edges: list[Edge]
