"""Pictures of `paribus.report` in a page: HTML and SVG that need no library, in the page's own light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from paribus.report.drawing.figures.still import still, still_rows
from paribus.report.drawing.html_parts import FIGURES
from paribus.report.export import rows_as_csv

if TYPE_CHECKING:
    import plotly.graph_objects as go

# The page's text and paper, and the verdicts' colours on light and on dark, at 4.5:1 or more.
CSS: Final = f""".picture {{ --ink: var(--st-text-color); --paper: var(--st-background-color);
--quiet: light-dark(#555, #b4b4b4); --line: light-dark(#d5d5d5, #444); --better: light-dark(#00674b, #3fce9f);
--worse: light-dark(#a83c00, #ff9a5c); --equivalent: light-dark(#00578a, #6cc0f5); --open: light-dark(#5c5c5c, #b4b4b4);
--same: light-dark(#8c3d71, #e6a3cb); --band: light-dark(#0072b21f, #56b4e92e);
color: var(--ink); font: 15px/1.5 var(--st-font) }}
{FIGURES}figure {{ margin: 0 }} .head {{ display: block; padding-top: .8rem }} .mid {{ text-align: center }}
.files {{ display: flex; gap: 1rem; padding-top: .4rem }}
.files button {{ all: unset; cursor: pointer; font-size: 14px; color: var(--ink) }}
.files button:hover {{ color: var(--st-link-color) }} .files button:focus-visible {{ outline: 2px solid }}"""
# The figure as it is seen, as one SVG without a style sheet: each of its pictures where it stands with the colours that
# it has now, each word where the browser has put it.
_JS: Final = """const NS = "http://www.w3.org/2000/svg";
const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font", "text-anchor", "vector-effect"];
const make = (name, told) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(told)) made.setAttribute(key, value);
  return made;
};
const flat = (figure, ground) => {
  const box = figure.getBoundingClientRect(), [width, height] = [box.width + 32, box.height + 32];
  const root = make("svg", { xmlns: NS, width, height, viewBox: `-16 -16 ${width} ${height}` });
  root.append(make("title", {}), make("rect", { x: -16, y: -16, width, height, fill: ground }));
  root.firstChild.textContent = figure.getAttribute("aria-label") || "";
  const picture = (svg) => {
    const copy = svg.cloneNode(true), own = svg.getBoundingClientRect();
    const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
    from.forEach((each, at) => {
      const look = getComputedStyle(each), inner = each !== svg && each.tagName === "svg";
      for (const name of ["class", "fill", "stroke"]) to[at].removeAttribute(name);
      to[at].setAttribute("style", LOOKS.map((name) => `${name}: ${look.getPropertyValue(name)}`).join("; ")
        + (inner ? `; overflow: ${look.overflow}` : ""));
    });
    for (const [key, value] of Object.entries({ x: own.x - box.x, y: own.y - box.y, width: own.width,
      height: own.height, overflow: "visible" })) copy.setAttribute(key, value);
    root.append(copy);
  };
  const words = (text) => {
    const look = getComputedStyle(text.parentElement);
    for (const found of text.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text, found.index);
      range.setEnd(text, found.index + found[0].length);
      const at = range.getBoundingClientRect();
      const word = make("text", { x: at.x - box.x, y: at.y - box.y + 0.78 * at.height,
        style: `font: ${look.font}; fill: ${look.color}` });
      word.textContent = found[0];
      root.append(word);
    }
  };
  const walk = (node) => node.tagName === "svg" ? picture(node)
    : node.nodeType === Node.TEXT_NODE ? words(node) : [...node.childNodes].forEach(walk);
  walk(figure);
  return [new XMLSerializer().serializeToString(root), width, height];
};
const save = (blob, name) => {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const files = {
  SVG: (figure, data, ground) =>
    save(new Blob([flat(figure, ground)[0]], { type: "image/svg+xml" }), `${data.name}.svg`),
  PNG: (figure, data, ground) => {
    const [svg, width, height] = flat(figure, ground), image = new Image();
    image.onload = () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, `${data.name}.png`));
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  },
  CSV: (figure, data) => save(new Blob([data.csv], { type: "text/csv" }), `${data.name}.csv`),
};
export default ({ parentElement, data }) => {
  const place = parentElement.querySelector(".picture");
  if (place.shown === data.html + data.csv) return;
  place.shown = data.html + data.csv;
  place.innerHTML = data.html;
  const row = Object.assign(document.createElement("div"), { className: "files" });
  for (const [kind, write] of Object.entries(files)) {
    if (kind === "CSV" && !data.csv) continue;
    const button = Object.assign(document.createElement("button"), { textContent: kind });
    button.setAttribute("aria-label", `${kind} of the figure ${data.name}`);
    button.onclick = () => write(place.querySelector("figure"), data,
      getComputedStyle(place).getPropertyValue("--st-background-color"));
    row.append(button);
  }
  place.append(row);
}"""
_NAME: Final = "picture"


@cache
def _component() -> ComponentRenderer:
    """Registered once, and not before there is a page to draw it on."""
    return st.components.v2.component(_NAME, html='<div class="picture"></div>', css=CSS, js=_JS)


def show_picture(html: str, key: str, rows: Sequence[Mapping[str, object]] = ()) -> None:
    """A figure of `report.drawing` that is HTML: its texts are escaped there already.

    It can be had as SVG and PNG, as it is seen, and `rows`, what it shows in numbers, as CSV; `key` names the files.
    """
    _component()(data={"html": html, "name": key, "csv": rows_as_csv(rows) if rows else ""}, key=key)


def show_still(figure: go.Figure, key: str) -> None:
    """A figure of `report.drawing.figures` that is drawn once, with its points."""
    show_picture(still(figure), key, still_rows(figure))
