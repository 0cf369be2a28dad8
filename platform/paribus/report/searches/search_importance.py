"""Which fields of a search mattered, from what became of its settings; in rows and in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paribus.analysis.exploratory.importance import Ended, importance
from paribus.analysis.exploratory.importance import Importance as Importance
from paribus.analysis.exploratory.importance import Method as Method
from paribus.host.secrets import without_secrets
from paribus.report.drawing.search_tables import value_of
from paribus.report.drawing.tables import show_p
from paribus.report.numbers import with_interval
from paribus.study.searches.population import is_population

if TYPE_CHECKING:
    from paribus.report.searches.search_report import SearchReport

EXPLORATORY = (
    "Exploratory: importance says where the values of this search moved, and where its sampler went decides what could "
    "be seen. It is no effect; a study of the field gives one"
)
IMPORTANCE_OF = {"PED-ANOVA": "share of what sets the best apart", "fANOVA": "share of the variance"}


def search_importance(report: SearchReport, method: Method) -> Importance:
    """The importance of the fields for the search's first metric, over the settings that ended.

    Settings that break a constraint count by their value. A member of a population came about through several settings,
    so that none can be told.
    """
    search = report.search
    if is_population(search.scheduler):
        return Importance(
            method=method, refused="the members of a population go through several settings, and none has a value alone"
        )
    ended = []
    for each in report.tried:
        if each.state not in ("finished", "failed", "stopped") or each.is_lost:
            continue
        cut_at = max(each.seen, default=0) if each.state == "stopped" else 0
        if each.state == "stopped" and not cut_at:
            continue  # nothing was seen of it: it says nothing of its levels
        ended.append(Ended(levels=each.levels, value=value_of(each, search), cut_at=cut_at))
    return importance(search.domains, ended, search.primary.sign, method)


def importance_rows(report: SearchReport, found: Importance) -> list[dict[str, str]]:
    """The table for people: every share with its interval and n."""
    names = report.search.domains.names()
    head = f"{IMPORTANCE_OF[found.method]} [95 % interval]"
    return [
        {
            "field": names[each.path],
            head: each.note or with_interval(each.value, each.interval, ".2f"),
            "n": str(each.n),
            "p by chance": "-" if each.p is None else show_p(each.p),
        }
        for each in found.fields
    ]


def importance_lines(report: SearchReport, found: Importance) -> list[str]:
    """The same in lines for a terminal: what was found, or why there is nothing, and what to read it as."""
    if found.refused:
        return [f"{found.method}: none, for {found.refused}"]
    lines = [f"{found.method}, {IMPORTANCE_OF[found.method]} [95 % interval], over {found.num_settings} settings:"]
    for each in found.fields:
        shown = each.note or with_interval(each.value, each.interval, ".2f")
        chance = "" if each.p is None else f", n = {each.n}, as much by chance in {show_p(each.p)} of deals"
        lines.append(f"  {each.path}: {shown}{chance}")
    return [without_secrets(line) for line in (*lines, *(f"  note: {note}" for note in found.notes))]


def importance_data(found: Importance) -> dict[str, Any]:
    """As plain data, for `--json`."""
    return {
        "method": found.method,
        "refused": found.refused,
        "settings": found.num_settings,
        "notes": list(found.notes),
        "fields": [
            {
                "path": each.path,
                "n": each.n,
                "importance": each.value,
                "low": each.interval.low if each.interval else None,
                "high": each.interval.high if each.interval else None,
                "p_by_chance": each.p,
                "note": each.note,
            }
            for each in found.fields
        ],
    }
