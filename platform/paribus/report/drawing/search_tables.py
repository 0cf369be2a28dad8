"""Tables of a search: every setting that was tried, the rungs, and what stood up beside what the search saw."""

from __future__ import annotations

from typing import Any, Final

from paribus.engine.searches.search_preview import tried_row
from paribus.engine.searches.tried import Tried
from paribus.report.export import rows_as_csv
from paribus.report.searches.search_report import SearchReport
from paribus.study.searches.domains import Choice, Domain
from paribus.study.searches.population import is_population
from paribus.study.searches.search import Search
from paribus.study.words import show_level

# What became of a setting, in the order of legends.
GROUPS: Final = ("finished", "cut", "generation done", "under way", "did not train", "no result")


def group_of(each: Tried, search: Search) -> str:
    """One of `GROUPS`."""
    if each.state == "failed":
        return "no result" if each.is_lost else "did not train"
    return {"finished": "finished", "stopped": _stopped(search)}.get(each.state, "under way")


def _stopped(search: Search) -> str:
    """What a scheduler's end of a trial is called: members of a population come to that of their generation."""
    return "generation done" if is_population(search.scheduler) else "cut"


def outcome_of(each: Tried, search: Search) -> str:
    """The word for one setting: `diverged` says more than that it did not train."""
    if each.state == "failed":
        if each.failure == "oom":
            return "failed (out of memory)"
        return {"failed": "failed (no result)", None: "does not fit", "finished": "no value"}.get(
            each.outcome, str(each.outcome)
        )
    return {"stopped": _stopped(search), "paused": "waits at a rung"}.get(each.state, each.state)


def value_of(each: Tried, search: Search) -> float | None:
    """The metric at its end, else where it was last seen; None where it did not train, and of what was not seen."""
    if each.state == "finished":
        return each.metrics[search.metric]
    return each.seen[max(each.seen)] if each.seen and each.state != "failed" else None


def tried_text(report: SearchReport) -> str:
    """`12 of 12 settings tried: 5 finished, 6 cut, 1 did not train`."""
    counts = {group: sum(group_of(each, report.search) == group for each in report.tried) for group in GROUPS}
    which = ", ".join(f"{count} {group}" for group, count in counts.items() if count)
    text = f"{len(report.tried)} of {report.preview.walk.planned} settings tried"
    return f"{text}: {which}" if which else text


def best_text(report: SearchReport) -> str:
    """`best of what the search saw: top-1 91.0 % (#7 lr=0.1)`; "" where none was trained to its end."""
    if not report.best:
        return ""
    search, each = report.search, report.best[0]
    value = f"{search.primary.show(each.metrics[search.metric])} {search.primary.of_level}".rstrip()
    so_far = "" if report.preview.walk.is_over else " so far"
    shown = f"{search.primary.short} {value} (#{each.number} {search.arm_of(each.levels).name})"
    return f"best of what the search saw{so_far}: {shown}"


def setting_rows(report: SearchReport) -> list[dict[str, Any]]:
    """Every setting with what people look at."""
    search, records = report.search, report.preview.records
    names, metric = search.domains.names(), search.primary
    heads = {name: f"{known.short} ({known.of_level})" for name, known in search.metrics.items()}
    others = [(name, heads.get(name, name)) for name in search.against]
    rows = []
    for each in report.tried:
        whole = each.state == "finished"
        record = records.get(each.number)
        rows.append(
            {
                "#": each.number,
                "state": outcome_of(each, search),
                **({"goes on from": each.parent} if is_population(search.scheduler) else {}),
                **{names[path]: _shown(each, path, domain) for path, domain in search.domains},
                f"{metric.short} ({metric.of_level})".replace(" ()", ""): value_of(each, search) if whole else None,
                **{head: each.metrics.get(name) if whole else None for name, head in others},
                "last seen": value_of(each, search) if each.seen and not whole else None,
                "at epoch": max(each.seen, default=None),
                "time (s)": each.seconds or None,
                "reason": each.reason,
                "MLflow": record.url if record else None,
            }
        )
    return rows


def settings_csv(report: SearchReport) -> str:
    """Every setting as CSV, by whole paths."""
    return rows_as_csv([tried_row(each, report.search) for each in report.tried])


def rung_rows(report: SearchReport) -> list[dict[str, Any]]:
    """How many settings came to each rung, and which were cut there; [] where nothing is cut."""
    walk = report.preview.walk
    if walk.scheduler.name == "none":
        return []
    brackets: dict[tuple[int, ...], list[Tried]] = {}
    for each in report.tried:
        brackets.setdefault(tuple(walk.scheduler.rungs_of(each.number, walk.epochs)), []).append(each)
    rows = []
    for rungs, own in sorted(brackets.items()):
        for rung in rungs:
            cut = [each for each in own if each.state == "stopped" and max(each.seen, default=0) == rung]
            reached = [each for each in own if max(each.seen, default=0) >= rung]
            rows.append(
                {
                    **({"rungs": ", ".join(map(str, rungs))} if len(brackets) > 1 else {}),
                    "after epoch": rung,
                    "came so far": len(reached),
                    f"{_stopped(report.search)} here": len(cut),
                    "which": ", ".join(f"#{each.number}" for each in cut),
                }
            )
    return rows


def confirmed_rows(report: SearchReport) -> list[dict[str, Any]]:
    """What the search saw of each setting that was confirmed, and what stood up."""
    metric, rows, found = report.search.primary, [], report.confirmed()
    for each in found:
        gain = "" if each.gain is None else metric.show(each.gain, "+")
        if each.interval:
            gain += f" [{metric.show(each.interval[0], '+')}, {metric.show(each.interval[1], '+')}]"
        rows.append(
            {
                "verdict": each.verdict,
                "#": each.number,
                "setting": each.name,
                f"searched ({metric.of_level})".replace(" ()", ""): metric.show(each.searched),
                f"over the baseline, searched ({metric.unit})": ""
                if each.searched_gain is None
                else metric.show(each.searched_gain, "+"),
                f"afresh ({metric.of_level})".replace(" ()", ""): ""
                if each.confirmed is None
                else metric.show(each.confirmed),
                f"over the baseline, afresh ({metric.unit})": gain,
                "n": each.n,
                **({"against it": " and ".join(each.against)} if any(one.against for one in found) else {}),
            }
        )
    return rows


def _shown(each: Tried, path: str, domain: Domain) -> Any:
    """A number of a range, the text of a choice; None where the field is not asked."""
    if path not in each.levels:
        return None
    return show_level(each.levels[path]) if isinstance(domain, Choice) else each.levels[path]
