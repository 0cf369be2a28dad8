"""A table of a page: text that wraps and can be read aloud, with itself as CSV, Markdown and LaTeX below."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1

import pandas as pd
import streamlit as st

from paribus.report.drawing.latex import latex_table
from paribus.report.drawing.tables import markdown_table
from paribus.report.export import rows_as_csv
from paribus_dashboards.parts import badge, plain

Rows = Sequence[Mapping[str, object]]


def show_table(
    rows: Rows,
    name: str,
    says: str,
    *,
    badges: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    help: Mapping[str, str] | None = None,
    csv: Callable[[], str] | None = None,
) -> None:
    """The rows, each with the same columns, and below them buttons that download them.

    `name` is the files' name and the key of what is drawn; `says` describes the table to who does not see it. Cells of
    `badges` are words with a sign and a colour; cells of `links` addresses, shown as the text given; `help` explains
    columns. `csv` makes the CSV file where it has more than the rows: plain numbers, or columns that people skip.
    """
    links, explained = links or {}, help or {}
    columns = [column for column in (rows[0] if rows else {}) if any(row[column] not in (None, "") for row in rows)]
    shown = [{plain(column): _cell(row[column], column, badges, links) for column in columns} for row in rows]
    key = f"table-{sha1(name.encode()).hexdigest()[:10]}"
    st.html(_stacked(key, columns))
    with st.container(key=key):
        st.table(pd.DataFrame(shown), hide_index=True, border="horizontal", alt=says)
    text = [{column: row[column] for column in columns if column not in links} for row in rows]
    lines = [f"- **{plain(column)}**: {explained[column]}" for column in columns if column in explained]
    show_downloads(text, name, csv=csv, explained="\n".join(lines))


def show_downloads(rows: Rows, name: str, *, csv: Callable[[], str] | None = None, explained: str = "") -> None:
    """The rows as CSV, Markdown and LaTeX, of buttons in a line, with what is `explained` of the columns on hover."""
    text = [{column: _text(cell) for column, cell in row.items()} for row in rows]
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"files-{name}"):
        show_download("CSV", csv or (lambda: rows_as_csv(rows)), f"{name}.csv", "text/csv")
        show_download("Markdown", lambda: markdown_table(text), f"{name}.md", "text/markdown")
        show_download("LaTeX", lambda: latex_table(text), f"{name}.tex", "application/x-tex")
        if explained:
            st.caption("What the columns mean", help=explained, width="content")


def show_download(label: str, make: Callable[[], str], file: str, kind: str) -> None:
    """A small button that makes a file when it is pressed, and not before."""
    st.download_button(label, make, file, kind, key=f"get-{file}", on_click="ignore", type="tertiary")


def _stacked(key: str, columns: Sequence[str]) -> str:
    """Style by which a narrow screen shows each row as a block, with its columns' names before the cells."""
    at = f".st-key-{key}"
    names = "".join(
        f"{at} td:nth-child({place})::before {{ content: {_as_css(column)} }} "
        for place, column in enumerate(columns, 1)
    )
    return (
        f"<style>@media (max-width: 640px) {{ {at} thead {{ display: none }} {at} tbody, {at} tr {{ display: block }} "
        f"{at} td {{ display: flex; flex-wrap: wrap; gap: 0 .5rem; border: 0 !important; "
        f"padding: .1rem 0 !important }} "
        f"{at} tr {{ border-bottom: 1px solid #8888; padding: .4rem 0 }} {at} table {{ display: block }} "
        f"{at} td::before {{ opacity: .7; flex: 0 0 9rem }} {names}}}</style>"
    )


def _as_css(text: str) -> str:
    """A text as a string of CSS, which ends no style element."""
    return json.dumps(text, ensure_ascii=False).replace("<", "\\3c ")


def _cell(value: object, column: str, badges: Sequence[str], links: Mapping[str, str]) -> str:
    text = _text(value)
    if column in links:
        return f"[{links[column]}]({text})" if text else ""
    if column in badges and text:
        return badge(text)
    shown = plain(text)
    # What would begin a list, a heading or a quotation.
    return "–" if shown == "-" else f"\\{shown}" if shown.startswith(("-", "+ ", "#", ">")) else shown


def _text(value: object) -> str:
    return "" if value is None else str(value)
