"""A whole page: its parts, the data that it was made from, and the seal over both. The other way: a page's data."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from paribus.report.drawing.html_parts import STYLE, shown

FORMAT: Final = 1
# What else the command can do for this kind of page.
_LEDGER: Final = {"study": "; with <code>--ledger</code> it asks a ledger whether these are its trials"}
_BLANK: Final = "0" * 64
_SEAL = re.compile(r'(?<=<code id="seal">)[0-9a-f]{64}(?=</code>)')
_DATA = re.compile(r'<script type="application/json" id="paribus-data">(.*?)</script>', re.DOTALL)


class PageError(ValueError):
    """A page that proves nothing: it is none of ours, or no data are in it."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a page shows of a document: `body` in HTML, `verdicts` as plain data in full precision."""

    title: str
    body: str
    verdicts: Any


def sealed(sheet: Sheet, document: Mapping[str, Any]) -> str:
    """The page of a document, with the document in it; the seal is the SHA-256 of all of it but the seal."""
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    data = _encodable(data)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{shown(sheet.title)}</title>\n<style>{STYLE}</style></head>\n<body><main>{sheet.body}\n"
        f"{_proof(document['made'], hashlib.sha256(data.encode()).hexdigest())}</main>\n"
        f'<script type="application/json" id="paribus-data">{data}</script>\n</body></html>\n'
    )
    page = _encodable(page)
    return _SEAL.sub(seal_of(page), page, count=1)


def seal_of(page: str) -> str:
    """The SHA-256 of a page with zeros in the place of its seal."""
    return hashlib.sha256(_SEAL.sub(_BLANK, page, count=1).encode()).hexdigest()


def seal_in(page: str) -> str:
    """The seal that a page bears; "" for none."""
    found = _SEAL.search(page)
    return found[0] if found else ""


def document_in(page: str) -> dict[str, Any]:
    """The data that a page was made from.

    Raises:
        PageError: there are none.
    """
    found = _DATA.findall(page)
    if len(found) != 1:
        raise PageError(
            "no trials are in it: an earlier release made it, or it is no page of `paribus report --html` or "
            "`paribus judge --html`. Make it again by that command, from the ledger"
        )
    try:
        document = json.loads(found[0])
        document["made"]["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PageError(f"the data in it cannot be read ({error})") from None
    whole: dict[str, Any] = document
    return whole


@cache
def maker() -> str:
    """A digest of all our code, 8 digits: pages of equal ones are made alike to the byte.

    A field that joins a recipe stands on a page too, so that no room can be left out.
    """
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _proof(made: Mapping[str, Any], digest: str) -> str:
    packages = " and ".join(f"{name} {version}" for name, version in made["packages"].items())
    by = f"by Paribus {made['version']} (rule {made['rule']}, code {made['maker']}) with {packages}"
    return (
        f'<h2>How to check this page</h2><p class="quiet">Made on {shown(made["on"])} {shown(by)}. '
        "It carries the runs that it was made from, and needs no network. <code>paribus verify FILE</code> judges them "
        f"again and compares every number, word and mark above with what comes out{_LEDGER.get(made['kind'], '')}. "
        "That is the proof. The seal shows that a byte was altered since, but "
        "whoever alters a page can seal it again; and whether runs were made up before there was a page, only the "
        "place that they come from can tell.</p>"
        f'<p class="quiet">Data <code>{digest}</code><br>Seal <code id="seal">{_BLANK}</code></p>'
    )


def _encodable(text: str) -> str:
    """What a file holds of it: a name that is not UTF-8 has a question mark there."""
    return text.encode("utf-8", "replace").decode("utf-8")
