"""Parts of a page in HTML: text that is shown as it is, tables that a phone and a printer take, the style."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from paribus.host.secrets import without_secrets

# A number's minus sign, and no hyphen of a name or a date.
_MINUS = re.compile(r"(?<![\w.])-(?=\d)")
# The colours are those of Okabe and Ito, darker or lighter until they contrast by 4.5 to 1 with either paper.
COLOURS = """:root { color-scheme: light dark; --ink: #1b1b1b; --quiet: #555; --line: #d5d5d5; --paper: #fff;
--better: #00674b; --worse: #a83c00; --equivalent: #00578a; --open: #5c5c5c; --same: #8c3d71; --band: #0072b21f }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #ececec; --quiet: #b4b4b4; --line: #444;
--paper: #16181c; --better: #3fce9f; --worse: #ff9a5c; --equivalent: #6cc0f5; --open: #b4b4b4; --same: #e6a3cb;
--band: #56b4e92e } }
"""
# What `forest` and `curve_lines` need, wherever they stand.
FIGURES = """figure { margin: 1rem 0 } figcaption { color: var(--quiet); font-size: 14px }
figure svg { display: block; overflow: visible }
figure svg text { font: 12px system-ui, sans-serif; fill: var(--quiet) }
.row { display: grid; grid-template-columns: 16rem 1fr 17rem; gap: 0 1rem; align-items: center;
border-top: 1px solid var(--line); padding: .2rem 0; font-size: 14px } .row > div { overflow-wrap: anywhere }
.row svg { grid-column: 2; grid-row: 1 } .row .number { grid-column: 3; font-variant-numeric: tabular-nums }
figure .plot { overflow: hidden } .quiet { color: var(--quiet); font-size: 14px }
.better { color: var(--better) } .worse { color: var(--worse) } .equivalent { color: var(--equivalent) }
.unresolved, .no, .noise { color: var(--open) } .same { color: var(--same) }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: 14px; list-style: none; padding: 0 }
@media screen and (max-width: 760px) { .row { grid-template-columns: 1fr }
.row svg, .row .number { grid-column: 1; grid-row: auto } }
@media print { .row { font-size: 8.5pt; grid-template-columns: 11rem 1fr 13rem }
figure.whole, .row { break-inside: avoid } }
"""
STYLE = f"""{COLOURS}* {{ box-sizing: border-box }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1.2rem; color: var(--ink);
background: var(--paper); overflow-wrap: break-word }} a {{ color: var(--equivalent) }}
h1 {{ font-size: 1.5rem; line-height: 1.3; margin: .2rem 0 .4rem }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem }}
table {{ border-collapse: collapse; font-size: 14px; width: 100%; font-variant-numeric: tabular-nums }}
td, th {{ border-bottom: 1px solid var(--line); padding: .3rem .7rem .3rem 0; text-align: left; vertical-align: top }}
td:first-child, code {{ overflow-wrap: anywhere }} td:first-child {{ min-width: 9rem }}
.fixed {{ columns: 17rem; font-size: 14px; padding: 0; list-style: none; overflow-wrap: anywhere }}
{FIGURES}@media screen and (max-width: 760px) {{ h1 {{ font-size: 1.25rem }}
table, tbody, tr, td {{ display: block }} thead {{ display: none }}
tr {{ border-bottom: 1px solid var(--line); padding: .5rem 0 }} td {{ border: 0; padding: .1rem 0 }}
td::before {{ color: var(--quiet) }} }}
@media print {{ body {{ font-size: 10pt; padding: 0; max-width: none }} table {{ font-size: 8.5pt }}
a {{ color: inherit }} h1 {{ font-size: 15pt }} h2 {{ font-size: 12pt; break-after: avoid }}
tr, li {{ break-inside: avoid }} thead {{ display: table-header-group }} @page {{ size: A4; margin: 15mm }} }}
"""


def shown(text: object) -> str:
    """A text such that a page shows it as it is: no tag, no secret of an address, a minus sign before numbers."""
    return html.escape(with_minus(without_secrets(str(text))))


def with_minus(text: str) -> str:
    """The text with the sign − before its negative numbers."""
    return _MINUS.sub("−", text)


def table(name: str, rows: Sequence[Mapping[str, str]], none: str, *, raw: Sequence[str] = ()) -> str:
    """The rows as a table of that name, with its heads beside each cell on a phone; `raw` columns are HTML already."""
    if not rows:
        return f"<p>{shown(none)}</p>"
    heads = [*rows[0]]
    told = "".join(
        f"#{name} td:nth-child({place})::before {{ content: {_as_css(head)} }} "
        for place, head in enumerate(heads, 1)
        if head
    )
    head = "".join(f'<th scope="col">{shown(each)}</th>' for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell if column in raw else shown(cell)}</td>' for column, cell in row.items())}</tr>\n"
        for row in rows
    )
    style = f"<style>@media screen and (max-width: 760px) {{ {told}}}</style>"
    return f'{style}<table id="{name}"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'


def _as_css(head: str) -> str:
    """A column's head as a string of CSS, which ends no style element."""
    return json.dumps(f"{without_secrets(head)}: ", ensure_ascii=False).replace("<", "\\3c ")


def listed(lines: Iterable[str], kind: str = "notes") -> str:
    """Sentences as a list; "" where there are none."""
    items = "".join(f"<li>{shown(line.strip())}</li>\n" for line in lines)
    return f'<ul class="{kind}">{items}</ul>' if items else ""
