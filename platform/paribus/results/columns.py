"""Which column is what: told by who asks, else found by its name and its values, else asked for in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.metrics.known import METRICS
from paribus.results.runs import OUTCOMES, ResultsError, Runs, as_number, last_part, listed, same

_SEEDS = ("seed", "random_seed", "rng_seed", "random_state", "manual_seed", "trial_seed", "seeds", "replicate", "rep")
_ARMS = ("arm", "variant", "treatment", "condition", "method", "group", "arm_name")
_OUTCOMES = ("outcome", "state", "status")
_BUDGETS = frozenset(
    ("epochs", "max_epochs", "num_epochs", "n_epochs", "budget", "max_steps", "total_steps", "train_steps", "max_iter")
)
# What trackers write of a run beside its settings and results.
_BOOKKEEPING = re.compile(
    r"^_|^(|id|run|run_id|run_name|name|trial|trial_id|number|index|user|host|hostname|node|pid|notes|tags|group_id|"
    r"created|created_at|started|started_at|ended|start_time|end_time|timestamp|time|datetime|date|runtime|duration|"
    r"wall_time|seconds|total_s|train_s|eval_s|gpu_s|heartbeat|step|epoch|attempt|commit|sweep|device|code|version)$"
)
_LOWER = re.compile(
    r"loss|err(or)?(_|$)|nll|perplexity|(^|_)ece|brier|rmse|(^|_)m[sa]e($|_)|wer$|fid$|regret|(^|_)time"
)
_HIGHER = re.compile(r"acc|top_?[15]|f1|auc|auroc|(^|_)ap($|_)|map$|precision|recall|iou|dice|bleu|score|reward|r2")
_MEASURED = ("test", "eval", "val", "valid", "validation", "final", "dev")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody asks of results; "" and () where it is to be found.

    `where` keeps rows of `(column, value)` alone. `lower` says whether smaller is better, None: by the metric's name.
    `examples` is the number of evaluation examples of an accuracy.
    """

    arm: tuple[str, ...] = ()
    seed: str = ""
    metric: str = ""
    baseline: str = ""
    margin: float | None = None
    alpha: float = 0.05
    outcome: str = ""
    where: tuple[tuple[str, str], ...] = ()
    lower: bool | None = None
    examples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns are what, and in words how they were found."""

    arm: tuple[str, ...]
    seed: str
    metric: str
    outcome: str
    found: tuple[str, ...]


def selected(runs: Runs, asked: Asked) -> list[int]:
    """The numbers of the rows that are asked for.

    Raises:
        ResultsError: a column that there is not, or no such row.
    """
    kept = list(range(len(runs.rows)))
    for column, value in asked.where:
        _check(runs, column, "--where")
        values = runs.values(column)
        kept = [number for number in kept if same(values[number], value)]
        if not kept:
            raise ResultsError(f"--where {column}={value} leaves no run: {column} is {listed(sorted(set(values)))}")
    return kept


def columns_of(runs: Runs, asked: Asked) -> Columns:
    """What each column is.

    Raises:
        ResultsError: one that was named is not there; or none, or several, could be meant.
    """
    told = {"--seed": (asked.seed,), "--metric": (asked.metric,), "--outcome": (asked.outcome,), "--arm": asked.arm}
    for option, named in told.items():
        for column in filter(None, named):
            _check(runs, column, option)
    outcome = asked.outcome or runs.outcome or _outcome(runs)
    seed = asked.seed or _seed(runs)
    metric = asked.metric or _metric(runs, {seed, outcome, *asked.arm})
    arm = asked.arm or _arm(runs, seed, metric, outcome)
    found = [
        f"{option[2:]}: {', '.join(column)}"
        for option, column, given in (
            ("--arm", arm, asked.arm),
            ("--seed", (seed,), asked.seed),
            ("--metric", (metric,), asked.metric),
            ("--outcome", (outcome,), asked.outcome or not outcome),
        )
        if not given
    ]
    return Columns(arm=tuple(arm), seed=seed, metric=metric, outcome=outcome, found=tuple(found))


def is_lower_better(metric: str) -> bool | None:
    """Whether smaller is better, by the metric's name; None where it does not say."""
    name = last_part(metric)
    if name in METRICS:
        return METRICS[name].sign < 0
    if _LOWER.search(name):
        return True
    return False if _HIGHER.search(name) else None


def budgets_of(runs: Runs, columns: Columns, rows: Sequence[int]) -> dict[str, list[str]]:
    """The columns that say for how long a run trains and that differ between the rows, with their values."""
    found = {}
    for column in runs.columns:
        if last_part(column) in _BUDGETS and column not in (*columns.arm, columns.metric):
            values = runs.values(column)
            if len(different := sorted({values[row] for row in rows if values[row]})) > 1:
                found[column] = different
    return found


def _check(runs: Runs, column: str, option: str) -> None:
    if column not in runs.columns:
        raise ResultsError(f"{option} {column}: {runs.source} has no such column; it has {listed(runs.columns, 20)}")


def _named(runs: Runs, names: Sequence[str]) -> list[str]:
    """The columns whose last part is one of these, those of the first name that there is alone."""
    for name in names:
        if found := [column for column in runs.columns if last_part(column) == name]:
            return found
    return []


def _seed(runs: Runs) -> str:
    found = [column for column in _named(runs, _SEEDS) if any(runs.values(column))]
    if len(found) == 1:
        return found[0]
    if found:
        raise ResultsError(f"{listed(found)} could each be the seed: name it by --seed COLUMN")
    raise ResultsError(
        f"no column of {runs.source} tells the seed ({listed(runs.columns, 20)}). Runs are compared in pairs that "
        "share their chance, so each needs a seed that its partner has too: name the column by --seed COLUMN. Where "
        "runs were not seeded, no two of them are a pair, and nothing can be judged by this rule"
    )


def _outcome(runs: Runs) -> str:
    for column in _named(runs, _OUTCOMES):
        words = {word.lower() for word in runs.values(column)}
        if words <= set(OUTCOMES) and words != {""}:
            return column
    return ""


def _is_metric(runs: Runs, column: str) -> bool:
    """Whether a column's name is one of results, and it holds numbers."""
    name = last_part(column)
    cells = [cell for cell in runs.values(column) if cell]
    known = name in METRICS or bool(_LOWER.search(name) or _HIGHER.search(name))
    return known and bool(cells) and all(as_number(cell) is not None for cell in cells)


def _metric(runs: Runs, taken: set[str]) -> str:
    named = [column for column in runs.metrics or runs.columns if column not in taken and _is_metric(runs, column)]
    found = [column for column in named if "train" not in column.lower()] or named or list(runs.metrics)
    measured = [column for column in found if any(part in re.split(r"[._/\- ]", column.lower()) for part in _MEASURED)]
    for names in (found, measured, [column for column in measured if not is_lower_better(column)]):
        if len(names) == 1:
            return names[0]
    if found:
        raise ResultsError(f"{listed(found)} could each be the metric: name it by --metric COLUMN")
    raise ResultsError(f"no column of {runs.source} is called as a metric is: name it by --metric COLUMN")


def _arm(runs: Runs, seed: str, metric: str, outcome: str) -> tuple[str, ...]:
    named = [column for column in _named(runs, _ARMS) if len(set(runs.values(column))) > 1]
    if len(named) == 1:
        return (named[0],)
    found = [
        column
        for column in runs.settings or runs.columns
        if column not in (seed, metric, outcome) and _may_tell_arms(runs, column)
    ]
    for column in found:
        if all(_determines(runs, column, other) for other in found):
            return (column,)
    if found and _tells_all(runs, found, seed):
        return tuple(found)
    if found:
        raise ResultsError(f"{listed(found)} could each tell the arms apart: name them by --arm COLUMN")
    raise ResultsError(f"no column of {runs.source} tells arms apart: name one by --arm COLUMN")


def _may_tell_arms(runs: Runs, column: str) -> bool:
    """Whether a column may be a setting that was varied: few values, each in several runs, and no result."""
    if _BOOKKEEPING.search(last_part(column)) or column in runs.metrics or _is_metric(runs, column):
        return False
    num = len(set(runs.values(column)))
    return 1 < num <= max(2, len(runs.rows) // 2)


def _determines(runs: Runs, column: str, other: str) -> bool:
    pairs = set(zip(runs.values(column), runs.values(other), strict=True))
    return len(pairs) == len(set(runs.values(column)))


def _tells_all(runs: Runs, columns: Sequence[str], seed: str) -> bool:
    """Whether these columns and the seed tell every run from every other."""
    return len({tuple(row.get(column, "") for column in (*columns, seed)) for row in runs.rows}) == len(runs.rows)
