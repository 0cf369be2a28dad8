"""A search in words: its plan, how far it is, what it found, and what stood up to confirmation."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.engine.searches.ladder import Ladder
from paribus.engine.searches.population import Population
from paribus.engine.searches.search_preview import SearchPreview
from paribus.engine.searches.tried import Tried
from paribus.host.secrets import without_secrets
from paribus.metrics.metric import Metric
from paribus.report.searches.search_report import SearchReport, schedules
from paribus.study.searches.bounds import COSTS
from paribus.study.searches.search import Search

_STATES = {
    "finished": "trained to their end",
    "failed": "did not train",
    "stopped": "cut by the scheduler",
    "paused": "wait at a rung",
    "interrupted": "to resume, cut off before their end",
    "running": "running",
    "to come": "to come",
}
_OF_MEMBERS = {"stopped": "came to the end of their generation", "paused": "wait for their generation"}
_EXPLORATORY = (
    "exploratory: one run of each, chosen because it came out best, so that its value is too high by its luck. What is "
    "better is said by the confirmation"
)
_SCHEDULES = (
    "exploratory, and it stays so: one run of each, chosen because it came out best, so that its value is too high by "
    "its luck. What was found is the schedule and not its last setting, which alone was never trained, and nothing "
    "confirms it. To ask whether a setting is better, give it to a study"
)


def search_plan_text(preview: SearchPreview) -> str:
    """The search as `plan` prints it."""
    search, walk = preview.search, preview.walk
    lines = [
        f"{preview.title}: {search.question}",
        f"  {_asked(preview)}, scheduler {search.used_scheduler}, by {_judged_on(search)}",
    ]
    counts = preview.counts()
    words = _STATES | (_OF_MEMBERS if isinstance(walk, Population) else {})
    lines += [f"    {counts[state]:>4} {word}" for state, word in words.items() if counts.get(state)]
    lines += [f"  space {path}: {domain}" for path, domain in search.domains]
    lines += [f"  fixed {path} = {level}" for path, level in search.fixed.items()]
    lines += [f"  keeps {text}" for text in search.constraints]
    lines += [f"  {line}" for line in (search.past.lines() if search.past else ())]
    lines += _rungs(preview)
    lines += _confirmation(preview)
    lines.append(f"  costs {_cost(preview)}")
    lines += [f"  note: {note}" for note in preview.notes]
    lines += [f"  {stale_search_text(preview)}"] if preview.stale else []
    return without_secrets("\n".join(lines))


def _asked(preview: SearchPreview) -> str:
    walk, sampler = preview.walk, preview.search.sampler
    if isinstance(walk, Ladder):
        return f"{walk.sizes[0]} settings by {sampler}, {walk.planned} trials"
    if not isinstance(walk, Population):
        return f"{walk.planned} settings by {sampler}"
    return f"{walk.members} members by {sampler} in {walk.generations} generations, {walk.planned} trials"


def stale_search_text(preview: SearchPreview) -> str:
    """What to do about results of other code."""
    return (
        f"{len(preview.stale)} of {len(preview.records)} trials are done, but by other code than is here, and the "
        "search would learn from them: say --accept-code to reuse them, or --redo to train them again"
    )


def found_text(report: SearchReport) -> str:
    """What the search found, before it is confirmed."""
    search, walk = report.search, report.preview.walk
    outcomes = ", ".join(f"{count} {word}" for word, count in sorted(report.outcomes.items()))
    past = [f"  {line}" for line in (search.past.lines() if search.past else ())]
    if not report.tried:
        begins = f"{report.preview.title}: no setting has been tried yet; `paribus run` with its file begins"
        return without_secrets("\n".join([begins, *past]))
    lines = [f"{report.preview.title}: {len(report.tried)} settings tried ({outcomes})", *past]
    if walk.ended_by:
        lines.append(f"  ended after {walk.planned} settings: {walk.ended_by}")
    if not report.best:
        return "\n".join([*lines, *_nothing(report)])
    if report.front:
        lines.append(f"  Pareto front of {', '.join(name for name, _ in search.objectives)}:")
        lines += [f"    {_line(each, search)}" for each in report.front]
    lines.append(f"  the best {len(report.best)} of what the search saw:")
    lines += [f"    {_line(each, search)}" for each in report.best]
    if came := schedules(report):
        lines += ["  how they came about:", *(f"    #{number}: {text}" for number, text in came.items())]
    return without_secrets("\n".join([*lines, f"  {_SCHEDULES if came else _EXPLORATORY}"]))


def confirmed_lines(report: SearchReport) -> list[str]:
    """The winner's curse: what each setting had in the search, and what it has afresh."""
    metric, found = report.search.primary, report.confirmed()
    if not found:
        return []
    lines = ["what the search saw (one run, held-out data) and what stood up (fresh runs, the evaluation split):"]
    for each in found:
        searched = f"{metric.show(each.searched)} {metric.of_level}".rstrip()
        if each.searched_gain is not None:
            searched += f", {metric.show(each.searched_gain, '+')} {metric.unit} over the baseline"
        afresh = "not confirmed yet"
        if each.gain is not None and each.confirmed is not None:
            ends = [metric.show(end, "+") for end in each.interval or ()]
            interval = f" [{', '.join(ends)}]" if ends else ""
            gain = f"{metric.show(each.gain, '+')} {metric.unit}{interval}"
            afresh = f"{metric.show(each.confirmed)} {metric.of_level}, {gain}, n = {each.n}: {each.verdict}"
        but = f"; but it {' and '.join(each.against)}" if each.against else ""
        lines.append(f"  #{each.number} {each.name}: {searched}; afresh {afresh}{but}")
    return [without_secrets(line) for line in lines]


def chosen_line(report: SearchReport) -> str:
    """Which setting is the best, and whether that is confirmed."""
    chosen = report.chosen()
    number = "" if chosen.number is None else f"#{chosen.number} "
    return without_secrets(f"the best: {number}{chosen.name}; {chosen.words}")


def _judged_on(search: Search) -> str:
    share = f" of the held-out {100 * search.holdout:g} % of the training split" if search.holdout else ""
    against = f", against {', '.join(search.against)}" if search.against else ""
    return f"{search.metric}{share}{against}"


def _rungs(preview: SearchPreview) -> list[str]:
    walk = preview.walk
    if walk.scheduler.name == "none":
        return []
    by_bracket = {walk.scheduler.rungs_of(number, walk.epochs): None for number in range(min(walk.planned, 200))}
    shown = "; ".join(", ".join(map(str, rungs)) for rungs in by_bracket)
    return [f"  {'generations end' if isinstance(walk, Population) else 'rungs'} after {shown} epochs"]


def _confirmation(preview: SearchPreview) -> list[str]:
    search, power = preview.search, preview.power
    if not search.confirm or power is None:
        return ["  no confirmation: nothing will be said to be better"]
    unit = search.primary.unit
    lines = [
        f"  then the best {search.top} and the baseline are trained on {search.confirm} fresh replicates each with the "
        f"whole training split, and judged on the evaluation split, margin {search.margin:g} {unit}"
    ]
    if power.detectable is None:
        return [*lines, f"  detects nothing: a verdict needs 3 replicates or more, not {search.confirm}"]
    return [*lines, f"  detects a difference of {power.detectable:.2g} {unit} with 80 % power (sd {power.source})"]


def _cost(preview: SearchPreview) -> str:
    left = preview.seconds_left
    if left is None:
        return f"{preview.walk.planned} trials at most; none has been timed yet"
    if not left:
        return "nothing: every setting was tried"
    most = " at most, where none is cut" if preview.walk.scheduler.name != "none" else ""
    return f"{left / 60:.1f} worker-minutes{most}, by the trials that were trained to their end"


def _nothing(report: SearchReport) -> Sequence[str]:
    reasons = [each.reason for each in report.tried if each.reason]
    why = f" (#{report.tried[-1].number}: {reasons[-1]})" if reasons else ""
    bounds = ", ".join(report.search.constraints)
    trained = [each for each in report.tried if each.state == "finished"]
    if trained and bounds:
        return [f"  nothing found: none of {len(trained)} that were trained to their end keeps {bounds}"]
    return [f"  nothing found: no setting was trained to its end{why}"]


def _line(each: Tried, search: Search) -> str:
    values = [_value(each, name, search.metrics.get(name)) for name, _ in search.objectives]
    return f"#{each.number} {search.arm_of(each.levels).name}: {', '.join(values)}"


def _value(each: Tried, name: str, metric: Metric | None) -> str:
    if metric is None:
        return f"{name} {each.metrics[name]:,.6g} {COSTS[name]}"
    return f"{metric.short} {metric.show(each.metrics[name])} {metric.of_level}".rstrip()
