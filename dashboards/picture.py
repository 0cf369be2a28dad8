"""Pictures of `paribus.report` in a page: HTML and SVG that need no library, in the page's own light or dark."""

from __future__ import annotations

from functools import cache
from typing import Final

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from paribus.report.drawing.html_parts import FIGURES

# The page's text and paper, and the verdicts' colours on light and on dark, at 4.5:1 or more.
_CSS: Final = f""".picture {{ --ink: var(--st-text-color); --paper: var(--st-background-color);
--quiet: light-dark(#555, #b4b4b4); --line: light-dark(#d5d5d5, #444); --better: light-dark(#00674b, #3fce9f);
--worse: light-dark(#a83c00, #ff9a5c); --equivalent: light-dark(#00578a, #6cc0f5); --open: light-dark(#5c5c5c, #b4b4b4);
--same: light-dark(#8c3d71, #e6a3cb); --band: light-dark(#0072b21f, #56b4e92e);
color: var(--ink); font: 15px/1.5 var(--st-font) }}
{FIGURES}figure {{ margin: 0 }} .head {{ display: block; padding-top: .8rem }}"""
_JS: Final = """export default ({ parentElement, data }) => {
  const place = parentElement.querySelector(".picture");
  if (place.shown !== data) { place.innerHTML = data; place.shown = data; }
}"""
_NAME: Final = "picture"


@cache
def _component() -> ComponentRenderer:
    """Registered once, and not before there is a page to draw it on."""
    return st.components.v2.component(_NAME, html='<div class="picture"></div>', css=_CSS, js=_JS)


def show_picture(html: str, key: str) -> None:
    """A figure of `report.drawing` that is HTML: its texts are escaped there already."""
    _component()(data=html, key=key)
