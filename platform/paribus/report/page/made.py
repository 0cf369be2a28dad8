"""A page made of a document: drawn from what the document gives again, never from what it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from paribus.report.page.sheet import FORMAT, Sheet, maker, sealed
from paribus.report.study_report import RULE

# From a document and a factor for its metrics, to what its page shows.
Draw = Callable[[Mapping[str, Any], float], Sheet]


def made_page(kind: str, document: Mapping[str, Any], draw: Draw) -> str:
    """The sealed page of a document of this kind, which `draw` draws, with what comes out in full precision."""
    made = {
        "format": FORMAT,
        "kind": kind,
        "version": version("paribus"),
        "maker": maker(),
        "rule": RULE,
        "on": f"{datetime.now(UTC):%Y-%m-%d at %H:%M} UTC",
        "packages": {name: version(name) for name in ("numpy", "scipy")},
    }
    whole = {"made": made, **json.loads(json.dumps(document))}
    sheet = draw(whole, 1.0)
    return sealed(sheet, {**whole, "verdicts": plain(sheet.verdicts)})


def plain(verdicts: Any) -> Any:
    """As JSON gives it back: tuples are lists, and what is no number is None."""
    return json.loads(json.dumps(verdicts), parse_constant=lambda _: None)
