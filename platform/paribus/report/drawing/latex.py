"""Rows for people as a LaTeX table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_SIGNS: Final[Mapping[str, str]] = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}


def latex_table(rows: Sequence[Mapping[str, object]], caption: str = "") -> str:
    r"""Rows as a `tabular` with the rules of the package booktabs, with a caption as a `table`; "" without rows.

    Compiles with pdfLaTeX and `\usepackage{booktabs}`. Columns whose cells begin with a number are set at the right.
    """
    if not rows:
        return ""
    heads = list(rows[0])
    columns = "".join("r" if all(_is_number(row[head]) for row in rows) else "l" for head in heads)
    lines = [" & ".join(map(latex_text, cells)) + r" \\" for cells in (heads, *(row.values() for row in rows))]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    whole = [rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]
    if caption:
        whole = [r"\begin{table}", r"\centering", rf"\caption{{{latex_text(caption)}}}", *whole, r"\end{table}"]
    return "\n".join(whole) + "\n"


def latex_text(cell: object) -> str:
    """A cell such that LaTeX prints it as it is, on one line; None is empty."""
    text = "" if cell is None else " ".join(str(cell).split())
    return "".join(_SIGNS.get(sign, sign) for sign in text)


def _is_number(cell: object) -> bool:
    text = "" if cell is None else str(cell).strip()
    return text in ("", "-") or text.lstrip("+−-±<≤≥ ").split(" ")[0].replace(".", "", 1).isdigit()
