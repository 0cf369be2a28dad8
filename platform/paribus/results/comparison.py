"""From runs that were made elsewhere to arms, pairs and results that the rule can judge."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from paribus.metrics.metric import Metric
from paribus.results.columns import Asked, Columns, budgets_of, columns_of, is_lower_better, selected
from paribus.results.runs import OUTCOMES, ResultsError, Runs, as_number, last_part, listed, same
from paribus.study.words import Arm, Outcome, TrialResult

_BASELINES = ("baseline", "base", "control", "default", "reference", "vanilla")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared: `analysis.study_data.Compared`, with its results and what a reader must know of them.

    `replicates` counts the seeds; the results are numbered by their places in `seeds`, from 1. A margin of 0 is none:
    nothing is then called equivalent.
    """

    name: str
    metric: Metric
    margin: float
    alpha: float
    arms: tuple[Arm, ...]
    baseline: Arm
    seeds: tuple[str, ...]
    results: tuple[TrialResult, ...]
    examples: int | None
    notes: tuple[str, ...]

    @property
    def replicates(self) -> int:
        """How many seeds there are."""
        return len(self.seeds)

    @property
    def floors(self) -> tuple[Arm, ...]:
        """None was trained again."""
        return ()

    def baseline_of(self, arm: Arm) -> Arm:
        """The same for every arm."""
        return self.baseline


def compared(runs: Runs, asked: Asked) -> Comparison:
    """Runs as arms, seeds and results.

    Raises:
        ResultsError: a column or a level that is not there or could be several, one arm alone, two runs of one arm and
            seed, unequal budgets, words that are no outcome, a margin or level that is none.
    """
    _check_numbers(asked)
    rows = selected(runs, asked)
    columns = columns_of(runs, asked)
    ended = {row: _outcome_of(runs, columns, row) for row in rows}
    outcomes = {row: outcome for row, outcome in ended.items() if outcome is not None}
    arms = {row: _arm_of(runs, columns, row) for row in outcomes}
    found = tuple(dict.fromkeys(arms.values()))
    if len(found) < 2:
        which = f"there is one, {found[0].name}" if found else "no run has ended"
        raise ResultsError(f"a comparison takes two arms by {', '.join(columns.arm)}, and {which}")
    baseline = _baseline_of(found, asked.baseline)
    _check_budgets(runs, columns, [row for row, outcome in outcomes.items() if outcome == "finished"])
    seeds = _seeds_of(runs, columns, arms)
    lower = next(
        (each for each in (asked.lower, runs.lower, is_lower_better(columns.metric)) if each is not None), None
    )
    results = [_result(runs, columns, row, arms[row], outcomes[row], seeds) for row in outcomes]
    return Comparison(
        name=runs.source,
        metric=_metric_of(columns.metric, bool(lower), results, asked.examples),
        margin=asked.margin or 0.0,
        alpha=asked.alpha,
        arms=(baseline, *(arm for arm in found if arm != baseline)),
        baseline=baseline,
        seeds=tuple(seeds),
        results=tuple(results),
        examples=asked.examples,
        notes=(
            *_read_notes(runs, columns, rows, outcomes),
            f"{columns.metric}: {'smaller' if lower else 'larger'} is taken for better"
            + (" (--lower-is-better says otherwise)" if lower is None else ""),
            *_seed_notes(found, baseline, results),
        ),
    )


def _check_numbers(asked: Asked) -> None:
    if asked.margin is not None and not 0 < asked.margin < math.inf:
        raise ResultsError(f"--margin {asked.margin:g}: the smallest effect of interest is a number above 0")
    if not 0 < asked.alpha <= 0.5:
        raise ResultsError(f"--alpha {asked.alpha:g}: the share of false verdicts is above 0 and at most 0.5")
    if asked.examples is not None and asked.examples < 1:
        raise ResultsError(f"--examples {asked.examples}: the number of evaluation examples is 1 or more")


def _outcome_of(runs: Runs, columns: Columns, row: int) -> Outcome | None:
    """How a run ended; None where it has not. What has no outcome is known by its number."""
    cell = runs.rows[row].get(columns.metric, "")
    value = as_number(cell)
    if cell and value is None:
        raise ResultsError(f"row {row + 1} of {runs.source}: {columns.metric} is {cell!r}, which is no number")
    word = runs.rows[row].get(columns.outcome, "").strip().lower() if columns.outcome else ""
    if word not in OUTCOMES:
        raise ResultsError(
            f"row {row + 1} of {runs.source}: the outcome {word!r} is none of {', '.join(get_args(Outcome))}"
        )
    if word:
        found: Outcome = next((each for each in get_args(Outcome) if each == OUTCOMES[word]), "failed")
        # Finished, and yet there is nothing: nobody knows what became of it.
        return "failed" if found == "finished" and not cell else found if OUTCOMES[word] else None
    if columns.outcome and value is None:
        return None
    if value is None:
        return "failed"
    return "finished" if math.isfinite(value) else "diverged"


def _arm_of(runs: Runs, columns: Columns, row: int) -> Arm:
    levels = {column: runs.rows[row].get(column, "") for column in columns.arm}
    label = next(iter(levels.values())) or "(none)" if len(levels) == 1 else ""
    return Arm(tuple(levels.items()), label)


def _baseline_of(arms: Sequence[Arm], wanted: str) -> Arm:
    if wanted:
        found = [arm for arm in arms if _is_called(arm, wanted)]
        if len(found) == 1:
            return found[0]
        raise ResultsError(f"--baseline {wanted}: no arm is called so; there are {listed(arm.name for arm in arms)}")
    for word in _BASELINES:
        if found := [arm for arm in arms if arm.name.lower() == word]:
            return found[0]
    raise ResultsError(
        f"which arm are the others compared with? Name it by --baseline: {listed((arm.name for arm in arms), 20)}"
    )


def _is_called(arm: Arm, wanted: str) -> bool:
    """Whether an arm goes by these words: its name, its level, or all its levels as `a=1,b=2`."""
    pairs = ",".join(f"{path}={level}" for path, level in arm.levels)
    return wanted in (arm.name, pairs) or (len(arm.levels) == 1 and same(wanted, str(arm.levels[0][1])))


def _check_budgets(runs: Runs, columns: Columns, rows: Sequence[int]) -> None:
    for column, values in budgets_of(runs, columns, rows).items():
        raise ResultsError(
            f"budgets are unequal: {column} is {listed(values)}. A run that trained longer is another question; judge "
            f"equal ones by --where {column}={values[0]}, or, if the budget is what is compared, name it by --arm"
        )


def _seeds_of(runs: Runs, columns: Columns, arms: Mapping[int, Arm]) -> list[str]:
    """Every seed once, numbers in their order."""
    places: dict[tuple[Arm, str], int] = {}
    for row, arm in arms.items():
        seed = runs.rows[row].get(columns.seed, "")
        if not seed:
            raise ResultsError(f"row {row + 1} of {runs.source} has no {columns.seed}: a run without one has no pair")
        if (before := places.setdefault((arm, seed), row)) != row:
            raise ResultsError(
                f"two runs of {arm.name} at {columns.seed} {seed} (rows {before + 1} and {row + 1})"
                f"{_told_apart(runs, columns, before, row)}"
            )
    numbers = {seed: as_number(seed) for _, seed in places}
    if None not in numbers.values():
        return sorted(numbers, key=lambda seed: numbers[seed] or 0.0)
    return sorted(numbers)


def _told_apart(runs: Runs, columns: Columns, one: int, other: int) -> str:
    apart = [
        column
        for column in runs.columns
        if column not in (columns.metric, columns.seed, columns.outcome)
        and runs.rows[one].get(column, "") != runs.rows[other].get(column, "")
    ]
    if not apart:
        return ": keep one of them"
    return (
        f": they differ in {listed(apart)}. Name what is compared by --arm, or keep one kind by --where {apart[0]}="
        f"{runs.rows[one].get(apart[0], '')}"
    )


def _result(runs: Runs, columns: Columns, row: int, arm: Arm, outcome: Outcome, seeds: Sequence[str]) -> TrialResult:
    value = as_number(runs.rows[row].get(columns.metric, ""))
    return TrialResult(
        trial_id=f"row {row + 1}",
        arm=arm,
        replicate=seeds.index(runs.rows[row][columns.seed]) + 1,
        outcome=outcome,
        metrics={} if value is None else {columns.metric: value},
    )


def _metric_of(name: str, lower: bool, results: Sequence[TrialResult], examples: int | None) -> Metric:
    """The metric as the rule needs it: an accuracy has a smallest step where the examples are counted."""
    values = [result.metrics[name] for result in results if result.survived and name in result.metrics]
    spread = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    percent = spread > 1.5
    is_accuracy = any(word in last_part(name) for word in ("acc", "top1", "top_1", "top5", "top_5"))
    return Metric(
        name=name,
        short=name,
        label=name,
        unit="points" if is_accuracy and percent else "",
        sd=1.0,
        needs=(),
        sign=-1 if lower else 1,
        digits=4,
        step=(100.0 if percent else 1.0) if is_accuracy and examples else 0.0,
        overall=lambda examples: math.nan,
    )


def _read_notes(runs: Runs, columns: Columns, rows: Sequence[int], outcomes: Mapping[int, Outcome]) -> list[str]:
    notes = [*runs.notes]
    if columns.found:
        notes.append(f"found by names and values: {'; '.join(columns.found)}")
    if unended := len(rows) - len(outcomes):
        notes.append(f"{unended} runs have not ended and are in nothing")
    told = Counter(
        outcomes[row] for row in outcomes if not (columns.outcome and runs.rows[row].get(columns.outcome, ""))
    )
    if told["failed"]:
        notes.append(
            f"{told['failed']} runs have no {columns.metric} and tell no outcome: taken for runs without a result. If "
            "they failed to train, say so in a column of outcomes (--outcome)"
        )
    if told["diverged"]:
        notes.append(f"{told['diverged']} runs have a {columns.metric} that is not finite: taken for diverged")
    return notes


def _seed_notes(arms: Sequence[Arm], baseline: Arm, results: Sequence[TrialResult]) -> list[str]:
    own = {arm: {result.replicate for result in results if result.arm == arm} for arm in arms}
    uneven = [arm for arm in arms if own[arm] != own[baseline]]
    notes = [
        f"{arm.name}: {len(own[arm] - own[baseline])} of its seeds are not the baseline's, and "
        f"{len(own[baseline] - own[arm])} of the baseline's not its: only pairs are compared. Runs that were added "
        "after somebody looked make false verdicts more frequent"
        for arm in uneven
    ]
    notes.append(
        "verdicts hold where the number of seeds was settled before anybody looked, which these results cannot tell"
    )
    return notes
