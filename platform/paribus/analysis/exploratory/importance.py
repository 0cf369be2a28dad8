"""Which fields of a search mattered: PED-ANOVA and fANOVA with Optuna's own evaluators, each number with its interval.

PED-ANOVA (Watanabe et al., IJCAI 2023; conditional fields: KDD 2026) asks how much a field's distribution among the
best settings differs from that among all. It needs ranks alone: a setting that was cut comes after all that came
further, by its value there, and one that did not train comes last. Shares of all fields sum to 1. fANOVA (Hutter et
al., ICML 2014) is the share of a forest's variance that a field explains by itself; the rest is interactions and noise.
It needs values: what did not train has the worst that any other has, what was cut has none at its end and is left out.

Neither is an effect: where a sampler went decides what can be seen. So every number is exploratory and stands beside
two others: the bootstrap's interval over the settings, and in how many of the deals a field comes to as much where the
values are dealt out at random over the same settings.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from paribus.analysis.statistics.intervals import Interval
from paribus.study.searches.space import Levels, Space

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator
    from optuna.trial import FrozenTrial

Method = Literal["PED-ANOVA", "fANOVA"]
Floats = NDArray[np.float64]
# With fewer the best are not five in a quarter, which Optuna wants for PED-ANOVA, and a forest learns nothing.
MIN_SETTINGS: Final = 20
MIN_BEST: Final = 5
_BEST_SHARE = 0.1
# A forest takes a time that grows with the square of the settings: 2 s for 100.
MOST_FOR_FOREST: Final = 100
_TREES, _TREES_RESAMPLED = 64, 8
_LEVEL = 0.95
RESAMPLES: Final = {"PED-ANOVA": 100, "fANOVA": 40}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A setting of a search that ended: `value` is its last one, None where it did not train.

    `cut_at` is the epoch at which it was cut, 0 where it was trained to its end or did not train.
    """

    levels: Levels
    value: float | None
    cut_at: int = 0


@dataclass(frozen=True, kw_only=True)
class FieldImportance:
    """The importance of one field over the n settings that were asked for it, with its interval.

    `p` is the share of deals at random in which the field comes to as much, by its divergence or its variance itself,
    not corrected for the number of fields. `value`, `interval` and `p` are None where `note` says why.
    """

    path: str
    n: int
    value: float | None
    interval: Interval | None
    p: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """The fields of a search by importance, the highest first; () where `refused` says why there is none."""

    method: Method
    fields: tuple[FieldImportance, ...] = ()
    num_settings: int = 0
    refused: str = ""
    notes: tuple[str, ...] = ()


def importance(space: Space, ended: Sequence[Ended], sign: int, method: Method) -> Importance:
    """The importance of each field of the space; `sign` is 1 where larger values are better, else -1.

    The same settings give the same numbers: every draw is seeded.
    """
    known = [each for each in ended if method == "PED-ANOVA" or not each.cut_at]
    whole = [each.value for each in known if each.value is not None]
    if refused := _refused(known, whole, method):
        return Importance(method=method, num_settings=len(known), refused=refused)
    notes = _notes(known, method)
    if method == "fANOVA" and len(known) > MOST_FOR_FOREST:
        rows = np.sort(np.random.default_rng(0).permutation(len(known))[:MOST_FOR_FOREST])
        notes.append(f"over {MOST_FOR_FOREST} of its {len(known)} settings, drawn at random: a forest of more is slow")
        known = [known[int(row)] for row in rows]
    values = _ranks(known, sign) if method == "PED-ANOVA" else _with_worst(known, sign)
    fields = _measured(space, [each.levels for each in known], values, method)
    if not fields:
        return Importance(method=method, num_settings=len(known), refused="no field of the space has two levels")
    fields.sort(key=lambda each: (each.value is None, -(each.value or 0.0)))
    return Importance(method=method, fields=tuple(fields), num_settings=len(known), notes=tuple(notes))


def _ranks(known: Sequence[Ended], sign: int) -> Floats:
    """By how far each came and then by its value, the best the highest; equal ones share a rank."""
    keys = [(each.value is not None, each.cut_at == 0, each.cut_at, sign * (each.value or 0.0)) for each in known]
    order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([order[key] for key in keys], dtype=np.float64)


def _with_worst(known: Sequence[Ended], sign: int) -> Floats:
    """The values, higher is better; what did not train has the worst that any other has."""
    worst = min(sign * each.value for each in known if each.value is not None)
    return np.array([worst if each.value is None else sign * each.value for each in known])


def best_share(num_settings: int) -> float:
    """The share of the settings that PED-ANOVA calls the best: a tenth, and no fewer than five."""
    return max(_BEST_SHARE, MIN_BEST / num_settings)


def _refused(known: Sequence[Ended], whole: Sequence[float], method: Method) -> str:
    """Why no importance can be told; "" where it can."""
    if len(known) < MIN_SETTINGS:
        that_count = "that ended" if method == "PED-ANOVA" else "that were trained to their end or did not train"
        return f"{len(known)} settings {that_count} are too few: it takes {MIN_SETTINGS} to tell importance from chance"
    if len(whole) < MIN_BEST:
        return f"{len(whole)} settings have a value, and {MIN_BEST} are needed for the best of them"
    if len(set(whole)) == 1 and len(whole) == len(known):
        return f"all {len(whole)} settings have the same value, {whole[0]:.4g}: nothing mattered that was tried"
    return ""


def _notes(known: Sequence[Ended], method: Method) -> list[str]:
    cut, failed = sum(each.cut_at > 0 for each in known), sum(each.value is None for each in known)
    notes = []
    if method == "PED-ANOVA":
        share = best_share(len(known))
        notes.append(f"what sets the best {math.ceil(round(share * len(known), 9))} of {len(known)} settings apart")
    if cut:
        some = "setting that was cut ranks" if cut == 1 else "settings that were cut rank"
        notes.append(f"{cut} {some} below what came further, by the value at the cut")
    if failed:
        some = "setting that did not train counts" if failed == 1 else "settings that did not train count"
        counted = "the worst" if method == "PED-ANOVA" else "the worst value of those that trained"
        notes.append(f"{failed} {some} as {counted}")
    return notes


def _measured(space: Space, levels: Sequence[Levels], values: Floats, method: Method) -> list[FieldImportance]:
    """Each field's importance: of PED-ANOVA over all settings at once, of fANOVA over those that have the field."""
    paths = [path for path, domain in space if domain.levels() is None or len(domain.levels() or ()) > 1]
    having = {path: np.array([path in each for each in levels]) for path in paths}
    paths = [path for path in paths if having[path].any()]
    if method == "PED-ANOVA":
        if not paths:
            return []
        return _over(space, levels, values, paths, method, {path: int(having[path].sum()) for path in paths})
    found: list[FieldImportance] = []
    for mask in {having[path].tobytes(): having[path] for path in paths}.values():
        own = [path for path in paths if (having[path] == mask).all()]
        n = int(mask.sum())
        if n < MIN_SETTINGS:
            note = f"only {n} settings have it: too few for a forest"
            found += [_without(path, n, note) for path in own]
            continue
        shared = [path for path in paths if having[path][mask].all()]
        rows = np.flatnonzero(mask)
        within = _over(
            space, [levels[int(row)] for row in rows], values[rows], shared, method, dict.fromkeys(shared, n)
        )
        found += [each for each in within if each.path in own]
    return found


def _without(path: str, n: int, note: str) -> FieldImportance:
    return FieldImportance(path=path, n=n, value=None, interval=None, p=None, note=note)


def _over(
    space: Space, levels: Sequence[Levels], values: Floats, paths: list[str], method: Method, counts: dict[str, int]
) -> list[FieldImportance]:
    """The importance of `paths`, with the bootstrap over the settings and over values that are dealt out anew."""
    trials = _Trials(space, levels, paths)
    size, rng = len(values), np.random.default_rng(0)
    every = np.arange(size)
    told = trials.importance(every, values, method, _TREES)
    if told is None:
        return [_without(path, counts[path], "the values of these settings are all the same") for path in paths]
    again, dealt = [], []
    for _ in range(RESAMPLES[method]):
        rows = rng.integers(0, size, size)
        again.append(trials.importance(rows, values[rows], method, _TREES_RESAMPLED))
        dealt.append(trials.importance(every, rng.permutation(values), method, _TREES_RESAMPLED))
    resampled, chance = (np.array([row for row in rows if row is not None]) for rows in (again, dealt))
    if not (len(resampled) and len(chance)):
        return [_without(path, counts[path], "too few of these settings differ in value") for path in paths]
    as_much = (1 + (chance >= told).sum(axis=0)) / (1 + len(chance))
    if method == "PED-ANOVA":
        resampled, told = _shares(resampled), _shares(told)
    found = []
    for at, path in enumerate(paths):
        low, high = corrected_percentiles(resampled[:, at], float(told[at]), _LEVEL)
        interval = Interval(low=low, high=high, level=_LEVEL, covers="which settings were tried")
        found.append(
            FieldImportance(path=path, n=counts[path], value=float(told[at]), interval=interval, p=float(as_much[at]))
        )
    return found


def _shares(divergences: Floats) -> Floats:
    """Of each field (..., fields), so that they sum to 1."""
    whole = divergences.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(whole > 0, divergences / np.where(whole > 0, whole, 1.0), 1 / divergences.shape[-1]))


def corrected_percentiles(resampled: Floats, value: float, level: float) -> tuple[float, float]:
    """The bias-corrected percentiles of the bootstrap (Efron and Tibshirani 1993, section 14.3, without acceleration).

    A divergence is never below 0 and rises with every setting that is drawn twice, so that plain percentiles lie above
    what they are of.
    """
    below = (np.sum(resampled < value) + 0.5 * np.sum(resampled == value) + 0.5) / (len(resampled) + 1)
    bias, tail = special.ndtri(below), special.ndtri((1 + level) / 2)
    shares = special.ndtr([2 * bias - tail, 2 * bias + tail])
    low, high = (float(end) for end in np.quantile(resampled, shares))
    return min(low, value), max(high, value)


class _Trials:
    """The settings as Optuna has them, so that a resample makes no more of them than it must."""

    def __init__(self, space: Space, levels: Sequence[Levels], paths: Sequence[str]) -> None:
        from paribus.analysis.exploratory.optuna_domains import as_optuna, distribution_of

        self.paths = list(paths)
        distributions = {path: distribution_of(space.domains[path]) for path in paths}
        own = [[path for path in paths if path in each] for each in levels]
        self._params = [
            {path: as_optuna(space.domains[path], each[path]) for path in some}
            for each, some in zip(levels, own, strict=True)
        ]
        self._distributions = [{path: distributions[path] for path in some} for some in own]

    def importance(self, rows: NDArray[np.int64], values: Floats, method: Method, trees: int) -> Floats | None:
        """By path, of the settings at `rows` with these values, higher is better; None where they do not differ."""
        import optuna

        if np.ptp(values) == 0:
            return None
        study = optuna.create_study(direction="maximize")
        study.add_trials([self._trial(int(row), float(value)) for row, value in zip(rows, values, strict=True)])
        with warnings.catch_warnings():  # of regimes with few settings: their n stands beside the number
            warnings.simplefilter("ignore")
            evaluator, params = _evaluator(method, len(rows), trees), [p for p in self.paths if self._has(p, rows)]
            try:
                found = optuna.importance.get_param_importances(
                    study, evaluator=evaluator, params=params, normalize=False
                )
            except RuntimeError:  # no tree of the forest has any variance
                return None
        return np.array([found.get(path, 0.0) for path in self.paths], dtype=np.float64)

    def _has(self, path: str, rows: NDArray[np.int64]) -> bool:
        return any(path in self._params[row] for row in rows)

    def _trial(self, row: int, value: float) -> FrozenTrial:
        from optuna.trial import create_trial

        return create_trial(params=self._params[row], distributions=self._distributions[row], value=value)


def _evaluator(method: Method, num_settings: int, trees: int) -> BaseImportanceEvaluator:
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if method == "PED-ANOVA":
        return PedAnovaImportanceEvaluator(target_quantile=best_share(num_settings))
    return FanovaImportanceEvaluator(n_trees=trees, seed=0)
