"""Plans, what is to be said of records, and first steps, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paribus.engine.preview import Preview
from paribus.host.home import checkout
from paribus.host.secrets import without_secrets
from paribus.host.time_left import duration
from paribus.report.plan_outlook import curve_lines, headline
from paribus.report.progress import show_ago
from paribus.study.designs.matching import match_sentence, violations
from paribus.study.plan import Action
from paribus.study.study import Study
from paribus.study.words import KILLS, show_level
from paribus.tracking.trials.record import faults_of

if TYPE_CHECKING:
    from paribus.tracking.studies.record import StudyRecord
    from paribus.tracking.trials.record import TrialRecord

_ACTIONS = {
    "start": "to start",
    "resume": "to resume, cut off before their end",
    "retry": "to try again, failed before",
    "skip": "done, skipped",
    "leave": "not done, left alone by retry",
    "later": "at most, as the looks to come decide",
    "stale": "done by other code, not reused",
}


def noted_lines(record: StudyRecord | None) -> tuple[str, ...]:
    """What people noted on a study, as a line of its report."""
    noted = " ".join(record.noted.split()) if record else ""
    return (f"noted by a person: {noted}",) if noted else ()


def plan_text(preview: Preview) -> str:
    """The plan as `plan` prints it: first what it can or cannot resolve."""
    plan, study = preview.plan, preview.plan.study
    lines = [
        f"{preview.title}: {headline(preview)}",
        f"  {study.question}",
        f"  {_size(study, len(plan.steps))}, judged on {study.metric}, margin {study.margin:g} {study.primary.unit}",
    ]
    lines += [f"    {count:>4} {_action(action, preview)}" for action, count in plan.counts().items()]
    lines += [f"  arm   {arm.name}{_role(study, arm)}" for arm in study.trained]
    lines += [f"  match {found.arm.name}: {match_sentence(study, found)}" for found in study.matched]
    lines += [f"  match {line}" for line in violations(study, {})]
    lines += [f"  fixed {path} = {level}" for path, level in study.fixed.items()]
    lines += [f"  cannot tell apart {', '.join(chain)}" for chain in preview.aliases]
    lines += [f"  detects {line}" for line in _detects(preview)]
    lines.append(f"  costs {_cost(preview)}")
    lines += [f"  {line}" for line in curve_lines(preview)]
    lines += [f"  note: {note}" for note in (*added_notes(study), preview.note, preview.look) if note]
    return without_secrets("\n".join(lines))


def added_notes(study: Study) -> list[str]:
    """That a baseline was added to the arms, because the base recipe's level of a factor is none that was asked for."""
    return [
        f"{path} = {show_level(level)} was added as the baseline, for it is the base recipe's and none of the levels "
        f"{', '.join(map(show_level, study.factors[path]))}: baseline={{{path!r}: {study.factors[path][0]!r}}} "
        "compares with one of these instead"
        for path, level in study.added_levels.items()
    ]


def _action(action: Action, preview: Preview) -> str:
    if action == "later" and preview.pilot:
        return "not of the pilot: `run` trains them"
    is_left = action == "later" and not preview.plan.todo
    return "not asked for: no look is left" if is_left else _ACTIONS[action]


def _size(study: Study, num_trials: int) -> str:
    """How many trials there are, or can be where looks decide."""
    if study.adaptive is None:
        floor = " and the noise floor" if study.floors else ""
        return f"{len(study.arms)} arms{floor} x {study.replicates} replicates = {num_trials} trials"
    most = min(num_trials, study.adaptive.trials or num_trials)
    looks = ", ".join(map(str, study.adaptive.looks))
    hours = f" and {study.adaptive.hours:g} hours" if study.adaptive.hours is not None else ""
    floor = " and the noise floor" if study.floors else ""
    return f"{len(study.arms)} arms{floor}, looks at {looks} replicates, at most {most} trials{hours}"


def stale_text(preview: Preview) -> str:
    """What to do about results of other code."""
    count = preview.plan.counts()["stale"]
    return (
        f"{count} of {len(preview.plan.steps)} trials are done, but by other code than is here. Their results "
        "may not be comparable with new ones: say --accept-code to reuse them, or --redo to train them again"
    )


def record_notes(study: Study, records: Sequence[TrialRecord], broken: Sequence[str]) -> tuple[str, ...]:
    """What a report and the dashboard say of the records that a judgement rests on; `broken` are its broken pairs."""
    told = (*broken, *match_notes(study, records), *mixed_notes(study, records))
    return (*told, *faults_of(records), *crash_notes(records), *lost_notes(records))


def mixed_notes(study: Study, records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """What paired trials do not have in common, and which contrasts the kind of node is confounded with."""
    from paribus.report.doubts.mixtures import mixtures
    from paribus.report.doubts.node_kinds import confounded

    return (*mixtures(study, records), *confounded(study, records))


def match_notes(study: Study, records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """By what the arms were matched with their baselines, and which miss by what their trials measured."""
    if not study.matched:
        return ()
    name = {"params": "num_params"}.get(study.match, study.match)
    figures = {record.arm: record.metrics[name] for record in records if record.metrics.get(name)}
    by = "; ".join(f"{found.arm.name}: {match_sentence(study, found)}" for found in study.matched)
    return (f"the arms were matched on {study.match} by {study.free}: {by}", *violations(study, figures))


def crash_notes(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """A sentence for each trial that was given up because it kills its process: with which signal, and its log."""
    return tuple(
        f"{record.arm_name} · r{record.replicate}: failed: {record.reason}"
        for record in records
        if record.outcome == "failed" and record.reason.startswith(KILLS)
    )


def lost_notes(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """A sentence for each trial of which the ledger lacks a file, or whose run was deleted while it trained."""
    found = []
    for record in records:
        name = f"{record.arm_name} · r{record.replicate}"
        if record.lost_artifact:
            found.append(
                f"{name}: the ledger lacks a file ({record.lost_artifact}); what waits on disk is sent by "
                "`paribus ledger send`"
            )
        if record.restored:
            found.append(f"{name}: {record.restored}")
    return tuple(found)


def aside_notes(record: StudyRecord | None) -> tuple[str, ...]:
    """A sentence for each node that the study's last run sent no more trials to."""
    return tuple(
        f"node {name} was put aside, and its trials ran elsewhere: {why}"
        for name, why in (record.nodes_aside if record else {}).items()
    )


def turn_notes(record: StudyRecord | None) -> tuple[str, ...]:
    """Why a study trains nothing, or less than there is room for: it is paused, or shares its cluster."""
    if record is None:
        return ()
    if (paused := record.paused) is not None:
        whose = "its driver waits" if record.live else "nothing runs it now"
        return (f"paused by {paused.by} {show_ago(paused.at_ms)}, and {whose}: `paribus resume` lets it go on",)
    places = record.places
    if not record.live or places is None or places.limit is None:
        return ()
    if not places.limit:
        left = duration(places.wait_s)
        return (f"waits: other studies have the places of the cluster; its turn comes in at most {left}",)
    return (f"shares its cluster: {places.limit} of {places.alone} places are its own just now",)


def first_steps() -> str:
    """What to type where the ledger holds no study yet, in Markdown."""
    return _IN_A_CHECKOUT if checkout() else _ELSEWHERE


_IN_A_CHECKOUT = """In the checkout's folder, type

```
make study
```

which trains `studies/residual_scale.py` on the embedded digits, or, with the local stack up,

```
ray job submit studies/width.py
```"""
_ELSEWHERE = """In the folder in which you called `paribus init`, type

```
ray job submit mine.py
```"""


def _role(study: Study, arm: object) -> str:
    return "  (baseline)" if arm in study.baselines else ""


def _detects(preview: Preview) -> list[str]:
    """What the study can tell: a difference, the lack of one, and failures to train."""
    if not preview.power.num_contrasts:
        return ["nothing: there is no arm beside the baseline"]
    return [*_detects_quality(preview), *_detects_effects(preview), _detects_failures(preview)]


def _detects_effects(preview: Preview) -> list[str]:
    """What a design of several factors tells of each of them, over all arms."""
    power, unit = preview.power.effects, preview.plan.study.primary.unit
    if power is None:
        return []
    return [
        f"a main effect of {power.detectable:.2g} {unit} with 80 % power, as the mean of {power.num_backgrounds} "
        f"differences whose chances are independent (one of {power.num_effects} effects, Holm-corrected)"
    ]


def _detects_quality(preview: Preview) -> list[str]:
    study, power = preview.plan.study, preview.power
    if power.detectable is None:
        return [f"nothing of quality: a verdict needs 3 replicates or more (5 is the default), not {study.replicates}"]
    unit = f" {study.primary.unit}"
    several = f"one effect among {power.num_contrasts} contrasts, Holm-corrected; " if power.num_contrasts > 1 else ""
    takes = f"; 80 % takes {power.enough} replicates" if power.enough else ""
    return [
        f"a difference of {power.detectable:.2g}{unit} with 80 % power ({several}sd of paired differences "
        f"{power.sd:.2g}{unit}: {power.source})",
        f"an arm without any effect as equivalent, within {study.margin:g}{unit}, with "
        f"{100 * power.equivalent:.0f} % power{takes if power.equivalent < 0.8 else ''}",
    ]


def _detects_failures(preview: Preview) -> str:
    """What the test of stability can and cannot reach with so many replicates and contrasts."""
    power, replicates = preview.power, preview.plan.study.replicates
    if power.failures is None or power.failure_rate is None:
        return (
            f"no instability: even an arm that fails to train in {replicates} of {replicates} against 0 is unresolved"
        )
    least = "all" if power.failures == replicates else f"{power.failures} or more"
    return (
        f"an arm that fails to train in {least} of {replicates} against 0 as unstable (80 % power if it fails with a "
        f"chance of {100 * power.failure_rate:.0f} % or more); fewer failures are unresolved"
    )


def _cost(preview: Preview) -> str:
    num_left = len(preview.plan.todo)
    if not num_left:
        return "nothing: every trial is done"
    if preview.seconds is None:
        return f"{num_left} trials; none of this plan has been timed yet"
    resources = preview.plan.todo[0].trial.recipe.resources
    gpu = f", {preview.seconds * resources.gpus / 3600:.2g} GPU-hours" if resources.gpus else ""
    other = f", {preview.num_untimed} of them by those of other arms" if preview.num_untimed else ""
    return f"{num_left} trials, {preview.seconds / 60:.1f} worker-minutes by this plan's own timings{other}{gpu}"
