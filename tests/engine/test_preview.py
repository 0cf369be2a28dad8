"""What a plan promises and costs: from its own trials alone, and with the very correction of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from trial_records import record_of

from paribus.analysis import AnalysisError
from paribus.data import DataError
from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.report.texts import plan_text
from paribus.shards.catalog import data_digest, locate
from paribus.shards.manifest import read_manifest
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.study.power import power_of_study
from paribus.tracking.trials.record import TrialRecord

STUDY = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=5, margin=4.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def drawn(study: Study, home: Path) -> tuple[Trial, ...]:
    return trials(study, lambda recipe: data_digest(recipe, home))


def ended(trial: Trial, top1: float, total_s: float) -> TrialRecord:
    return record_of(trial, metrics={"top1": top1, "total_s": total_s})


def preview(study: Study, home: Path, records: Sequence[TrialRecord] | None = ()) -> Preview:
    return make_preview(study, home, records, Options())


def test_trials_of_other_settings_price_and_power_nothing(home: Path) -> None:
    look = STUDY.vary(fixed={"budget": "1 epochs", "model.depth": 16})
    records = [ended(trial, 50 + trial.replicate**2, 0.01) for trial in drawn(look, home)]
    found = preview(STUDY, home, records)
    assert found.seconds is None
    assert found.power.source.startswith("assumed")
    assert "15 trials; none of this plan has been timed yet" in plan_text(found)


def test_trials_of_this_plan_price_their_own_arm_and_the_untimed_arms_are_said_to_be_priced_by_others(
    home: Path,
) -> None:
    first, second, _ = STUDY.arms
    seconds = {first: 10.0, second: 30.0}
    records = [
        ended(trial, 50.0, seconds[trial.arm])
        for trial in drawn(STUDY, home)
        if trial.replicate < 3 and trial.arm in seconds
    ]
    records = [replace(record, code="other") for record in records]
    found = make_preview(STUDY, home, records, Options(accept_code=True))
    assert found.seconds == pytest.approx(3 * 10 + 3 * 30 + 5 * 20)
    assert found.num_untimed == 5
    assert "11 trials, 3.7 worker-minutes by this plan's own timings, 5 of them by those of other arms" in plan_text(
        found
    )


def test_the_spread_is_the_median_of_this_plans_own_contrasts(home: Path) -> None:
    scale = dict(zip(STUDY.arms, (0.0, 2.0, 6.0), strict=True))
    records = [ended(trial, 50 + scale[trial.arm] * trial.replicate, 1.0) for trial in drawn(STUDY, home)]
    found = preview(STUDY, home, [*records, ended(drawn(STUDY.vary(fixed={"budget": 1}), home)[1], 9999.0, 1.0)])
    baseline = next(iter(STUDY.baselines))
    slopes = sorted(abs(scale[arm] - scale[baseline]) for arm in STUDY.arms if arm != baseline)
    assert found.power.sd == pytest.approx(slopes[1] * 2.5**0.5)
    assert found.power.source == "the median over 2 contrasts in the ledger"


@pytest.mark.parametrize("replicates", [3, 5, 14])
def test_the_promise_counts_every_contrast_of_the_study(home: Path, replicates: int) -> None:
    found = preview(replace(STUDY, replicates=replicates), home).power
    assert found == power_of_study(
        found.sd, found.source, replicates=replicates, num_contrasts=2, alpha=0.05, margin=4.0, step=100 / 32
    )


@pytest.mark.parametrize(
    ("replicates", "said"),
    [
        (5, "an arm that fails to train in 4 or more of 5 against 0 as unstable"),
        (3, "no instability: even an arm that fails to train in 3 of 3 against 0 is unresolved"),
        (2, "nothing of quality: a verdict needs 3 replicates or more (5 is the default), not 2"),
    ],
)
def test_the_text_says_what_can_and_cannot_be_told(home: Path, replicates: int, said: str) -> None:
    text = plan_text(preview(replace(STUDY, replicates=replicates), home))
    assert said in text
    assert ("one effect among 2 contrasts, Holm-corrected" in text) == (replicates > 2)


def test_a_margin_below_one_evaluation_example_is_refused_by_the_plan(home: Path) -> None:
    with pytest.raises(AnalysisError, match="below one of the 32 evaluation examples"):
        preview(replace(STUDY, margin=3.0), home)
    preview(replace(STUDY, margin=3.2), home)


def test_a_plan_without_a_contrast_promises_nothing(home: Path) -> None:
    alone = Study(name="plan", base="synthetic", factors={"model.width": (0.25,)}, baseline={"model.width": 0.25})
    assert "detects nothing: there is no arm beside the baseline" in plan_text(
        preview(replace(alone, margin=4.0), home)
    )


def finished(study: Study, home: Path, pairs: int, slope: float = 1.0) -> list[TrialRecord]:
    """The first `pairs` replicates of the baseline, which rises, and of an arm that is `slope` times r above it."""
    baseline, arm = next(iter(study.baselines)), next(arm for arm in study.arms if arm not in study.baselines)
    return [
        ended(trial, 50 + trial.replicate**2 + slope * trial.replicate * (trial.arm == arm), 1.0)
        for trial in drawn(study, home)
        if trial.arm in (baseline, arm) and trial.replicate <= pairs
    ]


def test_a_spread_takes_three_pairs_and_two_are_none(home: Path) -> None:
    assert preview(STUDY, home, finished(STUDY, home, 2)).power.source.startswith("assumed")
    found = preview(STUDY, home, finished(STUDY, home, 3, slope=4.0)).power
    assert (found.sd, found.source) == (pytest.approx(4.0), "the median over 1 contrasts in the ledger")


def test_deltas_that_are_all_the_same_are_no_spread(home: Path) -> None:
    found = preview(STUDY, home, finished(STUDY, home, 5, slope=0.0)).power
    assert found.source == "of unpaired runs (5 of the baseline), until arms have replicates"


@pytest.mark.parametrize("outcome", ["dead", "diverged", "stuck", "stopped", "failed"])
def test_the_spread_is_that_of_finished_trials_with_the_metric_in_which_both_sides_are_pairs(
    home: Path, outcome: str
) -> None:
    records = finished(STUDY, home, 5, slope=4.0)
    lost = [replace(r, outcome=outcome) if r.replicate == 5 and r.arm in STUDY.baselines else r for r in records]
    unreported = [replace(r, metrics={}) if r.replicate == 4 and r.arm not in STUDY.baselines else r for r in lost]
    found = preview(STUDY, home, unreported).power
    assert found.sd == pytest.approx(4.0), "of the deltas 4, 8 and 12; with the other two it is 6.3"


def test_the_assumed_spread_of_a_delta_is_that_of_two_unpaired_runs(home: Path) -> None:
    assert preview(STUDY, home).power.sd == pytest.approx(max(0.8 * 2**0.5, 100 / 32)), "no less than one example"
    likelihood = replace(STUDY, metric="log_likelihood", margin=0.01)
    assert preview(likelihood, home).power.sd == pytest.approx(0.02 * 2**0.5), "a likelihood has no smallest step"
    with_step = preview(replace(STUDY, replicates=14), home).power
    assert (
        with_step.equivalent
        == power_of_study(
            0.8 * 2**0.5, "", replicates=14, num_contrasts=2, alpha=0.05, margin=4.0, step=100 / 32
        ).equivalent
    )


def test_the_promise_is_at_the_studys_alpha_and_margin(home: Path) -> None:
    found = preview(replace(STUDY, alpha=0.1, margin=8.0), home).power
    assert found == power_of_study(
        found.sd, found.source, replicates=5, num_contrasts=2, alpha=0.1, margin=8.0, step=100 / 32
    )


def test_of_three_contrasts_the_middle_spread_counts(home: Path) -> None:
    study = replace(STUDY, factors={"model.width": (0.25, 0.5, 1.0, 2.0)})
    baseline = next(iter(study.baselines))
    others = [arm for arm in study.arms if arm != baseline]
    slope = {baseline: 0.0, others[0]: 3.0, others[1]: 40.0, others[2]: 5.0}
    records = [ended(trial, 50 + slope[trial.arm] * trial.replicate, 1.0) for trial in drawn(study, home)]
    assert preview(study, home, records).power.sd == pytest.approx(5 * 2.5**0.5)


def test_untimed_trials_are_counted_and_a_mean_of_arms_prices_them(home: Path) -> None:
    first, second, _ = STUDY.arms
    records = [ended(t, 50.0, 10.0 + 2 * t.replicate) for t in drawn(STUDY, home) if t.arm == first]
    records += [ended(t, 50.0, 40.0) for t in drawn(STUDY, home) if t.arm == second and t.replicate == 1]
    records = [replace(record, code="other") for record in records]
    records[0] = replace(records[0], metrics={"top1": 50.0})
    found = make_preview(STUDY, home, records, Options(accept_code=True))
    mean = 10 + 2 * (2 + 3 + 4 + 5) / 4
    assert found.seconds == pytest.approx(4 * 40.0 + 5 * (mean + 40.0) / 2)
    assert found.num_untimed == 5
    assert preview(STUDY, home).num_untimed == 15


def test_an_unknown_ledger_and_an_empty_one_are_told_apart(home: Path) -> None:
    assert preview(STUDY, home, None).records is None
    empty = preview(STUDY, home, ())
    assert empty.records is not None
    assert list(empty.records) == []


def test_an_arm_without_its_baseline_has_no_spread(home: Path) -> None:
    records = [r for r in finished(STUDY, home, 5) if r.arm not in STUDY.baselines]
    assert preview(STUDY, home, records).power.source.startswith("assumed")


def test_a_margin_a_little_below_one_example_is_refused_and_one_of_fewer_digits_is_not(home: Path) -> None:
    with pytest.raises(AnalysisError, match="below one of the 32 evaluation examples"):
        preview(replace(STUDY, margin=3.11), home)
    preview(replace(STUDY, margin=3.124), home)
    preview(replace(STUDY, metric="log_likelihood", margin=0.001), home)


def test_before_training_the_plan_refuses_what_training_would_refuse(home: Path) -> None:
    crowded = STUDY.vary(fixed={"data.batch_size": 4096})
    with pytest.raises(DataError, match=r"fewer than a batch: data\.batch_size = 4096"):
        preview(crowded, home)


def actions(found: Preview) -> dict[str, int]:
    return dict(found.plan.counts())


def test_results_by_other_code_are_stale_and_accepted_or_trained_again_where_a_person_says_so(home: Path) -> None:
    mine, theirs, failed = drawn(STUDY, home)[:3]
    records = [
        replace(ended(mine, 50.0, 1.0), code=trial_code(mine.recipe)),
        replace(ended(theirs, 50.0, 1.0), code="other", attempt=3, run_id="theirs"),
        replace(ended(failed, 50.0, 1.0), outcome="failed"),
    ]
    others = {"start": 12, "retry": 1, "skip": 1}
    assert actions(preview(STUDY, home, records)) == {**others, "stale": 1}
    assert actions(make_preview(STUDY, home, records, Options(accept_code=True))) == {**others, "skip": 2}
    again = make_preview(STUDY, home, records, Options(redo=True))
    assert actions(again) == {**others, "retry": 2}
    assert again.redone() == {"other"}, "the trial that failed has no result that would be gone"
    unnamed = [*records[:1], replace(records[1], code=""), records[2]]
    assert make_preview(STUDY, home, unnamed, Options(redo=True)).redone() == {"unknown"}
    assert (
        preview(STUDY, home, records).redone() == make_preview(STUDY, home, None, Options(redo=True)).redone() == set()
    )
    step = next(step for step in again.plan.steps if step.trial.id == theirs.id)
    assert (step.action, step.attempt, step.run_id) == ("retry", 4, "theirs"), "the next attempt in the same run"


def test_a_verb_that_keeps_to_some_actions_leaves_the_others(home: Path) -> None:
    done, failed, running = drawn(STUDY, home)[:3]
    records = [
        replace(ended(done, 50.0, 1.0), code=trial_code(done.recipe)),
        replace(ended(failed, 50.0, 1.0), outcome="failed"),
        replace(ended(running, 50.0, 1.0), outcome=None),
    ]
    assert actions(preview(STUDY, home, records)) == {"skip": 1, "retry": 1, "resume": 1, "start": 12}
    only = make_preview(STUDY, home, records, Options(), only=frozenset({"retry"}))
    assert actions(only) == {"skip": 1, "retry": 1, "leave": 13}
    assert [step.trial.id for step in only.plan.todo] == [failed.id]


def test_the_coarsest_of_the_studys_test_sets_is_the_step_that_is_planned_with(home: Path) -> None:
    study = Study(name="plan", base="synthetic", factors={"data.name": ("synthetic", "digits")}, margin=4.0)
    sets = [study.recipe_of(arm).data for arm in study.arms]
    assert [read_manifest(locate(data, home)).split("test").samples for data in sets] == [32, 397]
    found = preview(study, home, ())
    assert found.power.sd == pytest.approx(100 / 32), "of 32 examples one is more than the assumed spread of 1.1 points"
