"""What a plan can and cannot resolve, in its first line, and what other numbers of replicates would tell and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.engine.nearest import runs_of_baselines, values_by_arm
from paribus.host.time_left import duration
from paribus.study.words import FAILED_TO_TRAIN

if TYPE_CHECKING:
    from paribus.engine.outlook import Option
    from paribus.engine.preview import Preview


def headline(preview: Preview) -> str:
    """Whether the study's replicates resolve its margin; if not, what they do see, and what would do."""
    study, power, outlook = preview.plan.study, preview.power, preview.outlook
    if not power.num_contrasts:
        return "nothing can be resolved: there is no arm beside the baseline"
    unit = study.primary.unit
    margin = f"the margin of {study.margin:g} {unit}"
    if power.detectable is None:
        return (
            f"nothing can be resolved: a verdict takes 3 replicates or more, not {study.replicates}; {_takes(preview)}"
        )
    within = _within(preview)
    seen = f"effects of {power.detectable:.2g} {unit} or more"
    if outlook.resolves:
        percent = f"{100 * power.equivalent:.0f} %"
        return f"{within} see {seen}, and call an arm without effect equivalent within ±{study.margin:g} in {percent}"
    return f"{within} see {seen}, and cannot resolve {margin}, which {_takes(preview)}"


def pilot_text(preview: Preview) -> str:
    """What a pilot found: the spread of the baseline's runs with its interval, their time, what the study takes."""
    from paribus.analysis.statistics.intervals import sd_interval

    study = preview.plan.study
    measured = {record.trial_id: record for record in preview.records or ()}
    first = [step.trial for step in preview.plan.steps if step.trial.arm in (*study.baselines, *study.floors)]
    records = [measured[trial.id] for trial in first if trial.id in measured]
    failed = sum(record.outcome in FAILED_TO_TRAIN for record in records)
    runs = runs_of_baselines(study, values_by_arm(first, measured, study.metric))
    lines = [f"pilot of {preview.title}: {sum(record.outcome is not None for record in records)} runs of the baseline"]
    if runs is None:
        lines.append("  a spread takes three runs that train to their end")
    else:
        low, high = sd_interval(runs.sd, runs.freedom + 1)
        lines.append(
            f"  one run has an sd of {runs.sd:.2g} [{low:.2g}, {high:.2g}] {study.primary.unit} of {study.metric}, "
            f"over {runs.num} runs; the difference of two unpaired ones {2**0.5 * runs.sd:.2g}"
        )
    lines += [f"  {failed} of {len(records)} runs failed to train"] if failed else []
    times = [record.metrics["total_s"] for record in records if "total_s" in record.metrics]
    lines += [f"  a trial takes {duration(sum(times) / len(times))} of a worker"] if times else []
    lines += [f"  {headline(preview)}", *(f"  {line}" for line in curve_lines(preview))]
    return "\n".join([*lines, "  these are the study's own trials: `run` goes on from them"])


def _within(preview: Preview) -> str:
    """How far the study goes: its replicates, or the last planned look that its budget reaches."""
    study, planned, replicates = preview.plan.study, preview.plan.study.adaptive, preview.outlook.replicates
    if planned is not None and replicates < int(planned):
        return f"the budget lets every arm come to the look at {replicates} replicates, which"
    return f"{replicates} replicates" if planned is None else f"looks up to {study.replicates} replicates"


def _takes(preview: Preview) -> str:
    """The replicates that the margin takes, with what they cost from here."""
    outlook, power = preview.outlook, preview.power
    if outlook.needed is None:
        found = "takes more than 10,000"
    elif outlook.for_effect == outlook.for_equivalence:
        found = f"takes {outlook.needed}"
    else:
        found = f"takes {outlook.for_effect} for an effect of that size and {outlook.for_equivalence} for equivalence"
    option = outlook.at(outlook.needed)
    cost = f" ({_cost(option, preview)})" if option is not None else ""
    # Whose spread it is, where it is not the study's own.
    assumed = f"; the spread of {power.sd:.2g} is {power.source.split(',')[0]}" if "until" in power.source else ""
    return f"{found}{cost}{assumed}"


def _cost(option: Option, preview: Preview) -> str:
    parts = [f"{option.trials} trials to train"]
    if option.seconds is not None:
        parts.append(f"{duration(option.seconds)} of workers")
    if option.gpu_s:
        parts.append(f"{option.gpu_s / 3600:.2g} GPU-hours")
    if option.money is not None:
        parts.append(f"{option.money:.2f} {preview.prices.currency}")
    return ", ".join(parts)


def curve_lines(preview: Preview) -> list[str]:
    """A small table: one line for each number of replicates, with what is left to train for it."""
    options, unit = preview.outlook.options, preview.plan.study.primary.unit
    if not options:
        return []
    columns: dict[str, list[str]] = {
        "replicates": [str(option.tells.replicates) for option in options],
        f"finds ({unit})": [_number(option.tells.detectable) for option in options],
        "equivalence": [f"{100 * option.tells.equivalent:.0f} %" for option in options],
        "failures from": [_percent(option.tells.failure_rate) for option in options],
        "trials": [str(option.trials) for option in options],
    }
    if options[0].seconds is not None:
        columns["workers"] = [duration(option.seconds or 0.0) for option in options]
    if any(option.gpu_s for option in options):
        columns["GPU-hours"] = [f"{(option.gpu_s or 0.0) / 3600:.2g}" for option in options]
    if any(option.money is not None for option in options):
        columns[preview.prices.currency] = [_money(option.money) for option in options]
    widths = {head: max(len(head), *map(len, cells)) for head, cells in columns.items()}
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths.values(), strict=True)) for row in rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f} %"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
