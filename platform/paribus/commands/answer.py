"""What a study verb found, for a notebook: text where text is asked for, a table where HTML is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from paribus.host.secrets import without_secrets


@dataclass(frozen=True, kw_only=True, repr=False)
class Answer:
    """`text` is what the command prints and `data` what it prints with `--json`; `rows` are one table of plain values.

    `notes` are the lines beside the table. `code` is the command's exit code: 0 where all is well.
    `pandas.DataFrame(answer.rows)` works on.
    """

    title: str
    text: str
    data: Any
    rows: Sequence[Mapping[str, object]]
    notes: Sequence[str] = ()
    code: int = 0

    def __str__(self) -> str:
        return without_secrets(self.text)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(row.get(column, '')))}</td>" for column in columns) + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<li>{escape(line.strip())}</li>" for line in self.notes)
        page = f"<p><b>{escape(self.title)}</b></p><table><tr>{head}</tr>{body}</table><ul>{notes}</ul>"
        return without_secrets(page)
