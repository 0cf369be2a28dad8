"""Results of a study, of another search or of a file, from which a search learns and which are no trials of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from paribus.study.designs.arms import StudyError
from paribus.study.searches.space import Levels
from paribus.study.words import level_from_json

_KINDS = ("search:", "study:")
FORMS = "'search:NAME' or 'study:NAME' of the ledger, or the name of a file that ends in .csv"


@dataclass(frozen=True, kw_only=True)
class PastResult:
    """One result of `source` at levels of the search's space; no `metrics` where it did not train."""

    source: str
    levels: Levels
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a search learns from beside its own trials, as it was read when the search began: part of its document.

    Args:
        left_out: how many were left out, by (source, why).
        notes: what a plan and a report should say of it.
    """

    rows: tuple[PastResult, ...] = ()
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """How many of each source, and which were left out, for people."""
        sources = dict.fromkeys([*(row.source for row in self.rows), *(source for source, _ in self.left_out)])
        found = []
        for source in sources:
            number = sum(row.source == source for row in self.rows)
            gone = [f"{count} ({why})" for (one, why), count in self.left_out.items() if one == source]
            out = f"; left out: {', '.join(gone)}" if gone else ""
            found.append(f"learns from {number} past results of {source}, which are no trials of its own{out}")
        return found


def check_source(text: str, own: Collection[str]) -> None:
    """Raise StudyError where the text names no source of past results, or one of the search's `own` names."""
    name = ledger_name(text)
    if not name and not text.lower().endswith(".csv"):
        raise StudyError(f"start has {text!r}: past results are {FORMS}")
    if name in own:
        raise StudyError(f"start has {text!r}, which is the search itself: it learns from its own trials anyway")


def ledger_name(source: str) -> str:
    """The name of the study or search in the ledger; "" of a file."""
    kind = next((each for each in _KINDS if source.startswith(each)), "")
    return source.removeprefix(kind) if kind else ""


def past_as_json(past: Past) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        "rows": [{"source": row.source, "levels": dict(row.levels), "metrics": dict(row.metrics)} for row in past.rows],
        "left_out": [[source, why, count] for (source, why), count in past.left_out.items()],
        "notes": list(past.notes),
    }


def past_from_json(document: Mapping[str, Any]) -> Past:
    """What `past_as_json` wrote. Raises KeyError, TypeError or ValueError for what is none."""
    return Past(
        rows=tuple(
            PastResult(
                source=str(row["source"]),
                levels={path: level_from_json(level) for path, level in row["levels"].items()},
                metrics={str(name): float(value) for name, value in row["metrics"].items()},
            )
            for row in document["rows"]
        ),
        left_out={(str(source), str(why)): int(count) for source, why, count in document["left_out"]},
        notes=tuple(map(str, document["notes"])),
    )
