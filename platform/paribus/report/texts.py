"""Plans and states in words, for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paribus.engine.preview import Preview
from paribus.host.secrets import without_secrets
from paribus.study.study import Study
from paribus.study.words import KILLS, FailureClass
from paribus.tracking.ledger_records import faults_of

if TYPE_CHECKING:
    from paribus.tracking.ledger_records import TrialRecord

_ACTIONS = {
    "start": "to start",
    "resume": "to resume, cut off before their end",
    "retry": "to try again, failed before",
    "skip": "done, skipped",
    "leave": "not done, left alone by retry",
    "stale": "done by other code, not reused",
}
ADVICE: dict[FailureClass, str] = {
    "preempted": "its node was taken back; the same command resumes it",
    "node": "mend the node that it names, or look at the log of the one that was lost; then run the same command again",
    "oom": "ask for a smaller data.batch_size or a larger device; it is not tried again until you say retry",
    "data": "mend the data (paribus shards verify names every fault), then say retry",
    "code": "mend the code, then say retry",
}


def plan_text(preview: Preview) -> str:
    """The plan as `plan` prints it."""
    plan, study = preview.plan, preview.plan.study
    lines = [
        f"{preview.title}: {study.question}",
        f"  {len(study.arms)} arms x {study.replicates} replicates = {len(plan.steps)} trials, "
        f"judged on {study.metric}, margin {study.margin:g} {study.primary.unit}",
    ]
    lines += [f"    {count:>4} {_ACTIONS[action]}" for action, count in plan.counts().items()]
    lines += [f"  arm   {arm.name}{_role(study, arm)}" for arm in study.arms]
    lines += [f"  fixed {path} = {level}" for path, level in study.fixed.items()]
    lines += [f"  detects {line}" for line in _detects(preview)]
    lines.append(f"  costs {_cost(preview)}")
    lines += [f"  note: {note}" for note in (preview.note, preview.look) if note]
    return without_secrets("\n".join(lines))


def stale_text(preview: Preview) -> str:
    """What to do about results of other code."""
    count = preview.plan.counts()["stale"]
    return (
        f"{count} of {len(preview.plan.steps)} trials are done, but by other code than is here. Their results "
        "may not be comparable with new ones: say --accept-code to reuse them, or --redo to train them again"
    )


def status_text(preview: Preview) -> str:
    """How far the study is, as `status` prints it."""
    from paribus.report.mixtures import mixtures

    records = preview.records or ()
    ended = Counter(record.outcome for record in records if record.outcome)
    lines = [f"{preview.title}: {sum(ended.values())} of {len(preview.plan.steps)} trials have ended"]
    lines += [f"    {count:>4} {outcome}" for outcome, count in sorted(ended.items())]
    lines += [f"  damaged  {fault}" for fault in faults_of(records)]
    for record in records:
        name = f"{record.arm_name} · r{record.replicate}"
        if record.outcome == "failed":
            kind = record.tags.get("paribus.failure", "code")
            lines.append(f"  failed   {name}: {record.reason}; {ADVICE.get(kind, '')}")  # type: ignore[call-overload]
        elif record.outcome == "stuck":
            lines.append(f"  stuck    {name}: {record.reason}")
        elif record.outcome is None:
            share = "" if record.progress is None else f" {100 * record.progress:.0f} %"
            state = "running" if record.running else "cut off; the same command resumes it"
            lines.append(f"  {name}: {state}{share}, attempt {record.attempt}")
    lines += [f"  {note}" for note in lost_notes(records)]
    lines += [f"  note: {line}" for line in mixtures(preview.plan.study, records)]
    return "\n".join(lines)


def record_notes(study: Study, records: Sequence[TrialRecord], broken: Sequence[str]) -> tuple[str, ...]:
    """What a report and the dashboard say of the records that a judgement rests on; `broken` are its broken pairs."""
    from paribus.report.mixtures import mixtures

    return (*broken, *mixtures(study, records), *faults_of(records), *crash_notes(records), *lost_notes(records))


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
        if lost := record.tags.get("paribus.lost_artifact"):
            found.append(
                f"{name}: the ledger lacks a file ({lost}); what waits on disk is sent by `paribus ledger send`"
            )
        if restored := record.tags.get("paribus.restored"):
            found.append(f"{name}: {restored}")
    return tuple(found)


def _role(study: Study, arm: object) -> str:
    return "  (baseline)" if arm in study.baselines else ""


def _detects(preview: Preview) -> list[str]:
    """What the study can tell: a difference, the lack of one, and failures to train."""
    if not preview.power.num_contrasts:
        return ["nothing: there is no arm beside the baseline"]
    return [*_detects_quality(preview), _detects_failures(preview)]


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
