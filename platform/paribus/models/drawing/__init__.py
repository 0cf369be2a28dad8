"""Pictures of built nets."""

from paribus.models.drawing.svg import draw

__all__ = ["draw"]
