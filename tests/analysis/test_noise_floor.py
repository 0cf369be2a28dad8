"""The noise floor: what no effect looks like, beside the contrasts and in none of their tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from paribus.analysis import analyse
from paribus.analysis.noise_floor import floor_notes
from paribus.analysis.stages import asked_by_looks
from paribus.analysis.statistics.intervals import sd_interval
from paribus.study import Adaptive, Arm, Study, TrialResult

PLAIN = Study(
    name="floor",
    factors={"model.width": (1.0, 2.0, 4.0)},
    baseline={"model.width": 1.0},
    replicates=5,
)
STUDY = replace(PLAIN, noise_floor=True)
BASELINE, (FLOOR,) = STUDY.baselines[0], STUDY.floors


def results(study: Study, value: Callable[[Arm, int], float | str]) -> list[TrialResult]:
    return [one(arm, r, value(arm, r)) for arm in study.trained for r in range(1, study.replicates + 1)]


def one(arm: Arm, replicate: int, found: float | str) -> TrialResult:
    fields: dict[str, Any] = {"trial_id": f"{arm.name}-{replicate}", "arm": arm, "replicate": replicate}
    if isinstance(found, str):
        return TrialResult(**fields, outcome=found, outcome_step=4, num_steps=4)
    return TrialResult(**fields, outcome="finished", metrics={"top1": found}, num_steps=9)


def noise(seed: int = 1, sd: float = 1.0) -> Callable[[Arm, int], float]:
    rng = np.random.default_rng(seed)
    table = {(arm, r): 80 + sd * float(rng.normal()) for arm in STUDY.trained for r in range(1, 31)}
    return lambda arm, replicate: table[arm, replicate]


def test_it_changes_no_verdict_no_family_and_no_effect() -> None:
    value = noise()
    with_floor = analyse(STUDY, results(STUDY, value))
    without = analyse(PLAIN, [r for r in results(STUDY, value) if r.arm != FLOOR])
    assert with_floor.contrasts == without.contrasts
    assert with_floor.verdict_counts() == without.verdict_counts()
    assert repr(with_floor.effects) == repr(without.effects)
    assert with_floor.pairing == without.pairing
    assert without.floor == ()
    crossed = Study(
        name="floor", factors={"model.width": (1.0, 2.0), "model.dropout": (0.0, 0.3)}, replicates=4, noise_floor=True
    )
    rng = np.random.default_rng(3)
    both = results(crossed, lambda arm, r: 80 + float(rng.normal()))
    plain = analyse(replace(crossed, noise_floor=False), [r for r in both if not r.arm.again])
    assert repr(analyse(crossed, both).effects) == repr(plain.effects) != "()"


def test_its_numbers_are_those_of_two_sets_of_runs() -> None:
    value = noise()
    (floor,) = analyse(STUDY, results(STUDY, value)).floor
    deltas = np.array([value(FLOOR, r) - value(BASELINE, r) for r in range(1, 6)])
    assert floor.deltas == pytest.approx(deltas)
    low, high = stats.t.interval(0.95, 4, deltas.mean(), stats.sem(deltas))
    assert floor.interval is not None
    assert (floor.interval.low, floor.interval.high) == (pytest.approx(low), pytest.approx(high))
    assert floor.p_superiority == pytest.approx(stats.ttest_1samp(deltas, 0).pvalue)
    assert (floor.verdict, floor.primary) == (None, False)


def test_the_sd_has_its_interval() -> None:
    low, high = sd_interval(2.0, 5)
    for end, tail in ((low, 0.975), (high, 0.025)):
        assert end == pytest.approx(2 * (4 / stats.chi2.ppf(tail, 4)) ** 0.5)
    drawn = np.random.default_rng(2).normal(0, 3.0, (4000, 6)).std(axis=1, ddof=1)
    covers = np.mean([lo <= 3.0 <= hi for lo, hi in (sd_interval(sd, 6) for sd in drawn)])
    assert covers == pytest.approx(0.95, abs=0.012)


def test_the_report_says_how_many_contrasts_look_like_no_effect() -> None:
    shift = {arm: 50.0 if arm == STUDY.arms[2] else 0.0 for arm in STUDY.trained}
    value = noise()
    found = analyse(STUDY, results(STUDY, lambda arm, r: value(arm, r) + shift[arm]))
    (note,) = [note for note in found.notes if note.startswith("noise floor")]
    sd = found.floor[0].sd
    low, high = sd_interval(sd, 5)
    reach = stats.t.ppf(0.975, 4) * sd / 5**0.5
    assert note == (
        f"noise floor: a difference without an effect, of unpaired runs, has an sd of {sd:.2g} [{low:.2g}, {high:.2g}] "
        f"points; the mean of 5 lies within ±{reach:.2g} in 95 %, and so do 1 of 2 contrasts"
    )


def test_a_floor_that_differs_from_itself_is_told_in_about_one_of_twenty_studies() -> None:
    rng, told = np.random.default_rng(5), 0
    for _ in range(600):
        table = {(arm, r): 80 + float(rng.normal()) for arm in (BASELINE, FLOOR) for r in range(1, 6)}
        study = replace(STUDY, factors={"model.width": (1.0,)})
        found = analyse(study, [one(arm, r, value) for (arm, r), value in table.items()])
        told += any("the baseline differs from itself" in note for note in found.notes)
    assert 0.03 <= told / 600 <= 0.075


def test_a_floor_that_fails_to_train_is_told_and_takes_no_verdict_away() -> None:
    value = noise()
    found = analyse(STUDY, results(STUDY, lambda arm, r: "diverged" if arm == FLOOR else value(arm, r)))
    notes = [note for note in found.notes if note.startswith("noise floor")]
    assert notes == ["noise floor: 0 pairs of the baseline and itself again, and a spread takes 3"]
    eight = replace(STUDY, replicates=8)
    half = results(eight, lambda arm, r: "dead" if arm == FLOOR and r > 3 else value(arm, r))
    assert any("it fails to train in 5 against 0 of 8 (p = 0.0" in note for note in analyse(eight, half).notes)
    plain = analyse(replace(PLAIN, replicates=8), [r for r in half if r.arm != FLOOR])
    assert analyse(eight, half).contrasts == plain.contrasts


def test_of_planned_looks_it_has_the_replicates_of_its_baseline() -> None:
    study = replace(STUDY, replicates=Adaptive((3, 5, 8)))
    value = noise()
    asked = asked_by_looks(study, results(replace(study, replicates=3), value), None)
    assert asked[FLOOR] == asked[BASELINE] == max(asked.values())
    assert analyse(study, results(replace(study, replicates=3), value)).num_expected == sum(asked.values())


def test_without_a_floor_nothing_is_said() -> None:
    assert floor_notes((), (), 0.95) == ()
