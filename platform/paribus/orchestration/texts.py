"""Plans and states in words, for the terminal."""

from __future__ import annotations

from collections import Counter

from paribus.orchestration.failures import ADVICE
from paribus.orchestration.planning import Outlook
from paribus.study.study import Study

_ACTIONS = {
    "start": "to start",
    "resume": "to resume, cut off before their end",
    "retry": "to try again, failed before",
    "skip": "done, skipped",
    "leave": "not done, left alone by retry",
    "stale": "done by other code, not reused",
}
_UNITS = {"top1": " points", "top5": " points"}


def plan_text(outlook: Outlook) -> str:
    """The plan as `plan` prints it."""
    plan, study = outlook.plan, outlook.plan.study
    lines = [
        f"{outlook.title}: {study.question}",
        f"  {len(study.arms)} arms x {study.replicates} replicates = {len(plan.steps)} trials, "
        f"judged on {study.metric}, margin {study.margin:g}{_UNITS.get(study.metric, '')}",
    ]
    lines += [f"    {count:>4} {_ACTIONS[action]}" for action, count in plan.counts().items()]
    lines += [f"  arm   {arm.name}{_role(study, arm)}" for arm in study.arms]
    lines += [f"  fixed {path} = {level}" for path, level in study.fixed.items()]
    lines.append(f"  detects {_detects(outlook)}")
    lines.append(f"  costs {_cost(outlook)}")
    if outlook.note:
        lines.append(f"  note: {outlook.note}")
    return "\n".join(lines)


def stale_text(outlook: Outlook) -> str:
    """What to do about results of other code."""
    count = outlook.plan.counts()["stale"]
    return (
        f"{count} of {len(outlook.plan.steps)} trials are done, but by other code than this checkout's. Their results "
        "may not be comparable with new ones: say --accept-code to reuse them, or --redo to train them again"
    )


def status_text(outlook: Outlook) -> str:
    """How far the study is, as `status` prints it."""
    from paribus.orchestration.mixtures import mixtures

    records = outlook.records or ()
    ended = Counter(record.outcome for record in records if record.outcome)
    lines = [f"{outlook.title}: {sum(ended.values())} of {len(outlook.plan.steps)} trials have ended"]
    lines += [f"    {count:>4} {outcome}" for outcome, count in sorted(ended.items())]
    for record in records:
        name = f"{record.arm_name} · r{record.replicate}"
        if record.outcome == "failed":
            kind = record.tags.get("paribus.failure", "code")
            lines.append(f"  failed   {name}: {record.reason}; {ADVICE.get(kind, '')}")  # type: ignore[call-overload]
        elif record.outcome is None:
            share = "" if record.progress is None else f" {100 * record.progress:.0f} %"
            state = "running" if record.running else "cut off; the same command resumes it"
            lines.append(f"  {name}: {state}{share}, attempt {record.attempt}")
    lines += [f"  note: {line}" for line in mixtures(outlook.plan.study, records)]
    return "\n".join(lines)


def _role(study: Study, arm: object) -> str:
    return "  (baseline)" if arm in study.baselines else ""


def _detects(outlook: Outlook) -> str:
    study, power = outlook.plan.study, outlook.power
    if power.detectable is None:
        return f"nothing: a verdict needs 3 replicates or more (5 is the default), and here are {study.replicates}"
    unit = _UNITS.get(study.metric, "")
    return (
        f"a difference of {power.detectable:.2g}{unit} with 80 % power per contrast "
        f"(sd of paired differences {power.sd:.2g}{unit}: {power.source})"
    )


def _cost(outlook: Outlook) -> str:
    num_left = len(outlook.plan.todo)
    if not num_left:
        return "nothing: every trial is done"
    if outlook.seconds is None:
        return f"{num_left} trials; nothing like them has been timed yet"
    resources = outlook.plan.todo[0].trial.recipe.resources
    gpu = f", {outlook.seconds * resources.gpus / 3600:.2g} GPU-hours" if resources.gpus else ""
    return f"{num_left} trials, {outlook.seconds / 60:.1f} worker-minutes by the ledger's own timings{gpu}"
