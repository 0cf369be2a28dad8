"""Arms by the kind of node that trained them, as rows for people: there where there is more than one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paribus.report.doubts.node_kinds import kind_rows
from paribus.report.drawing.tables import markdown_table
from paribus.study.study import Study
from paribus.tracking.trials.record import TrialRecord

if TYPE_CHECKING:
    from rich.table import Table

TITLE = "trials by the kind of node"


def node_display_rows(study: Study | None, records: Sequence[TrialRecord]) -> list[dict[str, str]]:
    """A row an arm, a column a kind, and how unevenly an arm and its baseline lie on them (0 % alike, 100 % apart)."""
    kinds, rows = ((), ()) if study is None else kind_rows(study, records)
    return [
        {
            "arm": row.arm.name,
            **{kind: str(count) for kind, count in zip(kinds, row.counts, strict=True)},
            "imbalance": "baseline" if row.imbalance is None else f"{100 * row.imbalance:.0f} %",
        }
        for row in rows
    ]


def nodes_as_markdown(study: Study | None, records: Sequence[TrialRecord]) -> str:
    """The table in Markdown; "" where there is one kind alone."""
    rows = node_display_rows(study, records)
    return markdown_table(rows) if rows else ""


def rich_nodes(rows: Sequence[dict[str, str]]) -> Table:
    """The rows as a rich table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=TITLE, title_justify="left")
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    return table
