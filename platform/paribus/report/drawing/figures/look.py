"""How figures look on a light and on a dark page: colours with contrast on both, one frame for all."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

# After Okabe and Ito, darkened until each has a contrast of 3 or more (WCAG 1.4.11) on white and on Streamlit's dark.
COLOURS: Final = ("#0072B2", "#B37400", "#009E73", "#C2408A", "#D55E00", "#7B61C9", "#1F8A8A", "#7A7A7A")
# Okabe and Ito (2008) themselves: told apart by colour-blind readers too.
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross", "hexagon")
QUIET: Final = "#7A7A7A"
GOOD: Final = "#009E73"
BAD: Final = "#D55E00"
MAIN: Final = COLOURS[0]


def as_plotly(name: str) -> str:
    """A name such that Plotly shows it as it is: it reads tags and entities in every text, `%{...}` in hover texts."""
    return html.escape(name, quote=False).replace("{", "&#123;")


def look_of(index: int) -> tuple[str, str]:
    """Colour and symbol of the arm with that number; with more arms than colours a symbol tells equal ones apart."""
    turn, at = divmod(index, len(COLOURS))
    return COLOURS[at], SYMBOLS[(at + turn) % len(SYMBOLS)]


def faded(colour: str, opacity: float) -> str:
    """A colour of six digits, such as `#0072B2`, at an opacity from 0 to 1."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def wrapped(name: str, width: int = 26) -> str:
    """A label over several lines, which leaves a narrow screen room for what it labels; shown as `as_plotly` does."""
    return "<br>".join(as_plotly(line) for line in textwrap.wrap(name, width, break_on_hyphens=False)) or name


def lay_out(figure: go.Figure, title: str, height: int, **more: Any) -> go.Figure:
    """Title, height and frame; `more` goes to the figure's layout."""
    usual: Mapping[str, Any] = {
        "template": "plotly_white",
        "hovermode": "closest",
        "font": {"size": 13},
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
        "margin": {"l": 10, "r": 10, "t": 60, "b": 60},
    }
    figure.update_layout(title=title, height=height, **{**usual, **more})
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure
