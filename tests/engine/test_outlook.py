"""What a plan can and cannot resolve stands in its first line; other numbers of replicates beside what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from trial_records import record_of

from paribus.analysis.statistics.spending import level_at
from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.report.texts import plan_text
from paribus.shards.catalog import data_digest
from paribus.study import Adaptive, Study
from paribus.study.plan import trials
from paribus.study.power import detectable, power_of_study
from paribus.tracking.trials.record import TrialRecord

# 32 evaluation images: a spread is never believed to be below one of them, 3.125 points.
STUDY = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=5, margin=4.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def preview(study: Study, home: Path, records: Sequence[TrialRecord] = ()) -> Preview:
    return make_preview(study, home, records, Options())


def first_line(found: Preview) -> str:
    return plan_text(found).splitlines()[0]


def timed(study: Study, home: Path, replicates: int, spread: float = 4.0) -> list[TrialRecord]:
    """The first replicates, each of ten seconds; deltas have the sd `spread` over three of them."""
    level = {arm: spread * index for index, arm in enumerate(study.arms)}
    return [
        record_of(
            trial,
            metrics={"top1": 50 + level[trial.arm] * trial.replicate, "total_s": 10.0},
            code=trial_code(trial.recipe),
        )
        for trial in trials(study, lambda recipe: data_digest(recipe, home))
        if trial.replicate <= replicates
    ]


def test_the_first_line_says_what_cannot_be_resolved_and_what_would_do(home: Path) -> None:
    found = preview(STUDY, home)
    line = first_line(found)
    assert line.startswith("plan: 5 replicates see effects of 6.4 points or more, and cannot resolve the margin of 4")
    needed = found.outlook.needed
    assert needed is not None
    assert f"{found.outlook.for_effect} for an effect of that size and {found.outlook.for_equivalence} for eq" in line
    assert f"({3 * needed} trials to train); the spread of 3.1 is assumed" in line
    enough = preview(replace(STUDY, replicates=needed), home)
    assert enough.outlook.resolves
    assert not preview(replace(STUDY, replicates=needed - 1), home).outlook.resolves
    assert f"{needed} replicates see effects of" in first_line(enough)
    assert "call an arm without effect equivalent within ±4 in 8" in first_line(enough)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (replace(STUDY, replicates=2), "nothing can be resolved: a verdict takes 3 replicates or more, not 2; takes"),
        (
            replace(STUDY, factors={"model.width": (0.25,)}, baseline={"model.width": 0.25}),
            "nothing can be resolved: there is no arm beside the baseline",
        ),
        (replace(STUDY, metric="log_likelihood", margin=1e-5), "which takes more than 10,000; the spread of 0.028 is"),
        (replace(STUDY, replicates=Adaptive((3, 5, 40))), "looks up to 40 replicates see effects of"),
        (
            replace(STUDY, replicates=Adaptive((3, 5, 40), trials=30)),
            "the budget lets every arm come to the look at 5 replicates, which see",
        ),
    ],
)
def test_the_first_line_of_other_plans(home: Path, study: Study, said: str) -> None:
    assert said in first_line(preview(study, home))


def test_the_curve_is_the_plans_of_other_replicates(home: Path) -> None:
    found = preview(STUDY, home)
    assert [option.tells.replicates for option in found.outlook.options] == sorted(
        {3, 5, 8, 12, 20, 30, found.outlook.needed}
    )
    for option in found.outlook.options:
        other = preview(replace(STUDY, replicates=option.tells.replicates), home).power
        assert (option.tells.detectable, option.tells.equivalent) == (other.detectable, other.equivalent)
        assert option.tells.failure_rate == other.failure_rate
        assert option.trials == 3 * option.tells.replicates
    text = plan_text(found)
    heads = next(line for line in text.splitlines() if "finds (points)" in line)
    assert heads.split() == ["replicates", "finds", "(points)", "equivalence", "failures", "from", "trials"]
    least = found.outlook.options[0].tells
    row = ["3", f"{least.detectable:.2g}", f"{100 * least.equivalent:.0f}", "%", "-", "9"]
    assert any(line.split() == row for line in text.splitlines())


def test_planned_looks_are_the_curve_each_with_its_own_level(home: Path) -> None:
    study = replace(STUDY, replicates=Adaptive((3, 5, 40)))
    found = preview(study, home)
    options = found.outlook.options
    assert [option.tells.replicates for option in options] == [3, 5, 40]
    for index, option in enumerate(options):
        level = level_at((3, 5, 40), index, 0.05, sides=2) / 2
        assert option.tells.detectable == detectable(found.power.sd, option.tells.replicates, level)
    assert options[-1].tells.detectable == found.power.detectable


def test_a_budget_in_hours_reaches_the_look_that_its_timings_allow(home: Path) -> None:
    """One replicate of three arms takes 30 s here: five fit into 0.05 hours, and 40 do not."""
    study = replace(STUDY, replicates=Adaptive((3, 5, 40), hours=0.05))
    assert preview(study, home).outlook.replicates == 40, (
        "nothing is timed: no look is out of reach for all that is known"
    )
    told = preview(study, home, timed(STUDY, home, 3))
    assert told.outlook.replicates == 5
    assert "the budget lets every arm come to the look at 5 replicates" in first_line(told)
    assert "3 arms, looks at 3, 5, 40 replicates, at most 120 trials and 0.05 hours" in plan_text(told)
    tiny = replace(STUDY, replicates=Adaptive((3, 5, 40), hours=0.001))
    assert preview(tiny, home, timed(STUDY, home, 3)).outlook.replicates == 3, "the first look is trained all the same"


def test_what_is_left_to_train_costs_what_the_ledger_has_timed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_GPU_HOUR_PRICE", "36 EUR")
    monkeypatch.setenv("PARIBUS_WORKER_HOUR_PRICE", "3.6 EUR")
    found = preview(STUDY, home, timed(STUDY, home, 4))
    by_number = {option.tells.replicates: option for option in found.outlook.options}
    assert {number: by_number[number].trials for number in (3, 5, 8)} == {3: 0, 5: 3, 8: 12}
    assert by_number[8].seconds == 120.0
    assert by_number[8].money == pytest.approx(0.12)
    assert by_number[8].gpu_s == 0
    assert by_number[3].seconds == 0
    line = next(line for line in plan_text(found).splitlines() if line.split()[:1] == ["8"])
    assert line.split()[-4:] == ["12", "2", "min", "0.12"]
    half = STUDY.vary(fixed={"resources.gpus": 0.5})
    on_gpu = preview(half, home, timed(half, home, 4))
    eight = next(option for option in on_gpu.outlook.options if option.tells.replicates == 8)
    assert (eight.gpu_s, eight.money) == (60.0, pytest.approx(0.6))
    assert "GPU-hours" in plan_text(on_gpu)


def test_a_plan_as_data_has_the_curve(home: Path) -> None:
    told = preview(STUDY, home).as_dict()
    outlook = told["outlook"]
    assert outlook["resolves_margin"] is False
    assert outlook["options"][1] == {
        "replicates": 5,
        "detectable": told["detectable"],
        "equivalent": told["equivalence_power"],
        "failures": told["failures_needed"],
        "failure_rate": told["failure_rate_found"],
        "trials": 15,
        "seconds": None,
        "gpu_s": None,
        "money": None,
    }
    assert outlook["replicates_for_margin"] == max(
        outlook["replicates_for_effect_of_margin"], told["replicates_for_equivalence"]
    )


def test_a_price_that_is_none_is_refused_by_the_plan(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_GPU_HOUR_PRICE", "cheap")
    with pytest.raises(ValueError, match=r"PARIBUS_GPU_HOUR_PRICE='cheap': give the price of an hour"):
        preview(STUDY, home)


def test_the_power_behind_the_line_is_the_verdicts_own() -> None:
    """One margin, one spread: the number that the line names has that power, by the plan's own arithmetic."""
    power = power_of_study(1.0, "", replicates=5, num_contrasts=3, alpha=0.05, margin=0.5, step=0.0)
    assert power.enough is not None
    again = power_of_study(1.0, "", replicates=power.enough, num_contrasts=3, alpha=0.05, margin=0.5, step=0.0)
    assert again.equivalent >= 0.8
