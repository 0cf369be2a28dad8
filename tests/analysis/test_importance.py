"""Which fields of a search mattered: Optuna's own numbers, with an interval and with what chance comes to."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from paribus import Choice, Float, Search
from paribus.analysis.exploratory import importance as module
from paribus.analysis.exploratory.importance import (
    MIN_SETTINGS,
    Ended,
    Importance,
    Method,
    best_share,
    corrected_percentiles,
    importance,
)
from paribus.study.searches.space import Space

RATE, WAY, DROP = "optimizer.lr", "optimizer.nesterov", "model.dropout"


def space(**more: Any) -> Space:
    domains = {RATE: Float(1e-3, 1.0, log=True), WAY: Choice(True, False), DROP: Float(0.0, 0.5)}
    return Search(name="s", space={**domains, **more}, trials=5).domains


def ended(where: Space, number: int = 24, seed: int = 3) -> list[Ended]:
    """Settings of which the rate alone decides, by up to 24 points; the rest is noise of 0.5."""
    rng = np.random.default_rng(seed)
    settings = [where.levels_at(list(rng.random(len(where.domains)))) for _ in range(number)]
    return [
        Ended(levels=each, value=90 - 8 * abs(math.log10(float(str(each[RATE]))) + 1) + rng.normal(0, 0.5))
        for each in settings
    ]


def by_optuna(settings: Sequence[Ended], evaluator: Any, normalize: bool) -> dict[str, float]:
    distributions = {
        RATE: FloatDistribution(1e-3, 1.0, log=True),
        WAY: CategoricalDistribution(["true", "false"]),
        DROP: FloatDistribution(0.0, 0.5),
    }
    study = optuna.create_study(direction="maximize")
    for each in settings:
        params = {**each.levels, WAY: "true" if each.levels[WAY] else "false"}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=each.value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return get_param_importances(study, evaluator=evaluator, params=[RATE, WAY, DROP], normalize=normalize)


@pytest.fixture(scope="module")
def ped() -> Importance:
    return importance(space(), ended(space()), 1, "PED-ANOVA")


def test_ped_anova_has_optunas_shares_and_tells_what_decides_from_what_does_not(ped: Importance) -> None:
    evaluator = PedAnovaImportanceEvaluator(target_quantile=5 / 24)
    assert {each.path: each.value for each in ped.fields} == pytest.approx(
        by_optuna(ended(space()), evaluator, normalize=True)
    )
    assert next(each.path for each in ped.fields) == RATE
    assert sum(each.value or 0.0 for each in ped.fields) == pytest.approx(1.0)
    decides, *others = ped.fields
    assert (decides.p or 1.0) < 0.05
    assert all((each.p or 0.0) > 0.05 for each in others)
    for each in ped.fields:
        assert each.interval is not None
        assert each.interval.low <= (each.value or 0.0) <= each.interval.high
        assert each.interval.high > each.interval.low
        assert each.n == 24
    assert ped.notes == ("what sets the best 5 of 24 settings apart",)


def test_fanova_has_optunas_variance_shares_and_leaves_out_a_field_that_few_settings_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(module.RESAMPLES, "fANOVA", 20)
    where = space(**{"optimizer.momentum": Float(0.1, 0.9, when={WAY: True})})
    settings = ended(where)
    found = importance(where, settings, 1, "fANOVA")
    alone = [
        replace(each, levels={k: v for k, v in each.levels.items() if k in (RATE, WAY, DROP)}) for each in settings
    ]
    expected = by_optuna(alone, FanovaImportanceEvaluator(n_trees=64, seed=0), normalize=False)
    assert {each.path: each.value for each in found.fields if each.value is not None} == pytest.approx(expected)
    last = found.fields[-1]
    having = sum("optimizer.momentum" in each.levels for each in settings)
    assert (last.path, last.value, last.interval, last.p) == ("optimizer.momentum", None, None, None)
    assert last.note == f"only {having} settings have it: too few for a forest"
    assert last.n == having
    assert (found.fields[0].p or 1.0) < 0.05


def test_the_same_settings_give_the_same_numbers_and_the_sign_turns_what_is_best(
    ped: Importance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.RESAMPLES, "PED-ANOVA", 10)
    losses = [replace(each, value=-(each.value or 0.0)) for each in ended(space())]
    turned = importance(space(), losses, -1, "PED-ANOVA")
    assert [(each.path, each.value) for each in turned.fields] == [(each.path, each.value) for each in ped.fields]
    assert importance(space(), losses, -1, "PED-ANOVA") == turned


def test_cut_settings_rank_by_how_far_they_came_and_failed_ones_have_the_worst_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(module.RESAMPLES, "PED-ANOVA", 2)
    monkeypatch.setitem(module.RESAMPLES, "fANOVA", 2)
    whole = sorted(ended(space(), 30), key=lambda each: -(each.value or 0.0))
    # Those at place 2 and 3 were cut, with values below all others: the later cut is the better one of the two.
    cut = [replace(whole[2], value=10.0, cut_at=3), replace(whole[3], value=20.0, cut_at=1)]
    mixed = [*whole[:2], *cut, *whole[4:26], *(replace(each, value=None) for each in whole[26:])]
    found = importance(space(), mixed, 1, "PED-ANOVA")
    ordered = [*whole[:2], *whole[4:26], *cut, *(replace(each, value=0.0) for each in whole[26:])]
    known = [replace(each, value=100.0 - min(at, 26)) for at, each in enumerate(ordered)]
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best_share(30))
    assert {each.path: each.value for each in found.fields} == pytest.approx(
        by_optuna(known, evaluator, normalize=True)
    )
    assert "2 settings that were cut rank below what came further, by the value at the cut" in found.notes
    assert "4 settings that did not train count as the worst" in found.notes
    forest = importance(space(), mixed, 1, "fANOVA")
    assert forest.num_settings == 28
    worst = min(each.value for each in mixed if each.value is not None and not each.cut_at)
    kept = [replace(each, value=worst if each.value is None else each.value) for each in mixed if not each.cut_at]
    expected = by_optuna(kept, FanovaImportanceEvaluator(n_trees=64, seed=0), normalize=False)
    assert {each.path: each.value for each in forest.fields} == pytest.approx(expected)


@pytest.mark.parametrize("method", ["PED-ANOVA", "fANOVA"])
def test_what_cannot_be_told_is_refused_in_words(method: Method) -> None:
    few = importance(space(), ended(space(), MIN_SETTINGS - 1), 1, method)
    assert (few.fields, few.refused.split(" are ")[0].split(" that ")[0]) == ((), "19 settings")
    assert "too few: it takes 20" in few.refused
    flat = [replace(each, value=90.0) for each in ended(space())]
    assert "all 24 settings have the same value, 90" in importance(space(), flat, 1, method).refused
    dead = [replace(each, value=None) if at >= 4 else each for at, each in enumerate(ended(space()))]
    assert importance(space(), dead, 1, method).refused.startswith("4 settings have a value, and 5 are needed")


def test_percentiles_of_an_unbiased_bootstrap_are_the_plain_ones_and_hold_the_value_of_a_biased_one() -> None:
    resampled = np.arange(1, 1000) / 1000
    assert corrected_percentiles(resampled, 0.5, 0.95) == pytest.approx(tuple(np.quantile(resampled, (0.025, 0.975))))
    low, high = corrected_percentiles(resampled, 0.01, 0.95)
    assert low <= 0.01 <= high < 0.5
