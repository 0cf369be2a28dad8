"""What conclusions cost: every hour of every attempt in one row, against arithmetic done by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from trial_records import digest, ended, record_of

from paribus.analysis import analyse
from paribus.engine.variables import Prices, prices
from paribus.report.costs import LOST, Before, StudyCost, cost_of
from paribus.report.drawing.cost_tables import cost_display_rows, cost_lines, costs_as_markdown, rich_costs
from paribus.report.study_report import trial_rows
from paribus.study import Study, StudyError
from paribus.study.plan import Trial, places, trials
from paribus.tracking.mlflow.runs import Latest
from paribus.tracking.trials.record import Attempt, TrialRecord

STUDY = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=2, margin=4.0)


def attempts(*spans: tuple[int, int, str]) -> dict[int, Attempt]:
    """Attempts by their (beginning, end) in seconds, and how each ended; "" for one that has not."""
    return {
        number: Attempt(started_ms=1000 * (begun + 1), ended_ms=1000 * (ended + 1) if outcome else 0, outcome=outcome)
        for number, (begun, ended, outcome) in enumerate(spans, 1)
    }


def costed(
    told: Callable[[Trial], dict[str, Any] | None],
    study: Study = STUDY,
    money: Prices | None = None,
    before: Sequence[Before] = (),
) -> StudyCost:
    """The cost of a study of whose trials `told` says what is to be otherwise; None: it has not run."""
    drawn = trials(study, digest)
    records: list[TrialRecord] = []
    for trial in drawn:
        if (fields := told(trial)) is not None:
            records.append(record_of(trial, **{"metrics": {"top1": 50.0}, **fields}))
    results = [record.result() for record in records if record.outcome]
    found = analyse(study, results)
    return cost_of(study, found, trial_rows(records, places(drawn), live=False), money or Prices(), before)


def seconds(cost: StudyCost) -> dict[str, float]:
    """Worker-seconds by row."""
    return {row.name or row.kind: round(3600 * row.worker_hours, 6) for row in cost.rows if row.worker_hours}


def test_a_contrast_has_its_arms_time_and_a_share_of_its_baselines() -> None:
    baseline = STUDY.baselines[0]
    first, second = (arm for arm in STUDY.arms if arm != baseline)
    took = {baseline: 10, first: 20, second: 40}
    cost = costed(lambda t: {"attempts": attempts((5, 5 + took[t.arm], "finished"))})
    assert seconds(cost) == {first.name: 2 * 20 + 10, second.name: 2 * 40 + 10}
    assert 3600 * cost.hours() == pytest.approx(2 * (10 + 20 + 40)), "every hour once"
    assert cost.hours(*LOST) == 0


FATES: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    # Cut off after 30 s, 20 of which a checkpoint kept: 50 s in all rest in the result, 10 were gone over again.
    (
        "resumed",
        {"attempts": attempts((0, 30, "interrupted"), (100, 130, "finished")), "metrics": {"top1": 1.0, "total_s": 50}},
        {"arm": 50, "cut off": 10},
    ),
    (
        "begun anew",
        {"attempts": attempts((0, 30, "interrupted"), (100, 150, "finished")), "metrics": {"top1": 1.0, "total_s": 48}},
        {"arm": 50, "cut off": 30},
    ),
    # Found dead an hour later: it ran no longer than until it was begun again.
    (
        "found late",
        {"attempts": attempts((0, 3600, "interrupted"), (40, 60, "finished")), "metrics": {"top1": 1.0, "total_s": 20}},
        {"arm": 20, "cut off": 40},
    ),
    (
        "retried",
        {"attempts": attempts((0, 7, "failed"), (10, 15, "finished")), "metrics": {"top1": 1.0, "total_s": 5}},
        {"arm": 5, "failed": 7},
    ),
    (
        "redone",
        {"attempts": attempts((0, 9, "finished"), (10, 15, "dead")), "outcome": "dead", "metrics": {"total_s": 5}},
        {"arm": 5, "trained again": 9},
    ),
    ("failed", {"attempts": attempts((0, 7, "failed")), "outcome": "failed", "metrics": {}}, {"failed": 7}),
    ("stopped", {"attempts": attempts((0, 7, "stopped")), "outcome": "stopped", "metrics": {}}, {"stopped": 7}),
    (
        "interrupted",
        {"attempts": attempts((0, 7, "interrupted")), "outcome": None, "status": "KILLED", "metrics": {}},
        {"interrupted": 7},
    ),
    # Closed when it was found, the next day: what it did is told by its last point.
    (
        "orphan",
        {
            "attempts": attempts((10, 0, "")),
            "outcome": None,
            "status": "KILLED",
            "ended_ms": 86_400_000,
            "latest": {"top1": Latest(1.0, 8, 15_000)},
            "metrics": {},
        },
        {"interrupted": 4},
    ),
    ("of an earlier release", {"attempts": {}, "metrics": {"top1": 1.0, "total_s": 12}}, {"arm": 12}),
    ("clock set back", {"attempts": attempts((9, 2, "finished")), "metrics": {"top1": 1.0, "total_s": 5}}, {"arm": 5}),
]


@pytest.mark.parametrize(("fields", "expected"), [pytest.param(*rest, id=name) for name, *rest in FATES])
def test_what_became_of_every_attempts_time(fields: dict[str, Any], expected: dict[str, float]) -> None:
    arm = next(arm for arm in STUDY.arms if arm not in STUDY.baselines)
    cost = costed(lambda trial: fields if (trial.arm, trial.replicate) == (arm, 1) else None)
    named = {arm.name if kind == "arm" else kind: value for kind, value in expected.items()}
    assert seconds(cost) == named
    assert 3600 * cost.hours() == pytest.approx(sum(expected.values()))


def test_a_trial_that_runs_costs_what_is_known_of_it_and_is_not_lost() -> None:
    arm = STUDY.baselines[0]
    drawn = next(trial for trial in trials(STUDY, digest) if trial.arm == arm)
    record = record_of(
        drawn, outcome=None, status="RUNNING", attempts=attempts((1, 0, "")), latest={"top1": Latest(1.0, 8, 5_000)}
    )
    rows = trial_rows([record], places(trials(STUDY, digest)), live=True)
    cost = cost_of(STUDY, analyse(STUDY, []), rows, Prices())
    assert (seconds(cost), cost.hours(*LOST)) == ({"running": 3}, 0)


def test_gpus_are_those_of_the_result_or_else_those_that_were_asked_for_and_their_hours_have_the_price() -> None:
    one = attempts((0, 3600, "finished"))

    def told(trial: Trial) -> dict[str, Any]:
        if trial.replicate == 1:
            return {"attempts": one, "metrics": {"top1": 1.0, "total_s": 10.0, "gpu_s": 5.0}}
        return {
            "attempts": attempts((0, 3600, "failed")),
            "outcome": "failed",
            "metrics": {},
            "params": {"resources.gpus": "2"},
        }

    cost = costed(told, money=Prices(gpu_hour=3.0, worker_hour=99.0, currency="EUR"))
    assert cost.unit == "GPU-hours"
    assert cost.hours() == pytest.approx(3 * 0.5 + 3 * 2)
    assert cost.money == pytest.approx(3.0 * 7.5)
    assert [row["EUR"] for row in cost_display_rows(cost)] == ["2.25", "2.25", "18.00"]
    assert (
        "7.5 GPU-hours (22.50 EUR), and no contrast is resolved; 6 GPU-hours of it came to nothing"
        in cost_lines(cost)[0]
    )
    worker = costed(lambda trial: {"attempts": one}, money=Prices(gpu_hour=3.0))
    assert (worker.unit, worker.money) == ("worker-hours", None), "no price of a worker is set"
    assert "EUR" not in str(cost_display_rows(worker))


def test_only_a_verdict_is_a_conclusion() -> None:
    study = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=5, margin=4.0)
    first, second = (arm for arm in study.arms if arm not in study.baselines)
    shift = {first: 30.0, second: 5.0}

    def told(trial: Trial) -> dict[str, Any]:
        noise = 6 * (trial.replicate % 3) if trial.arm == second else trial.replicate % 2
        return {
            "metrics": {"top1": 50 + shift.get(trial.arm, 0) + noise},
            "attempts": attempts((0, 60, "finished")),
        }

    cost = costed(told, study)
    assert [row.verdict for row in cost.rows] == ["unresolved", "better"], "in the order of arms"
    assert cost.conclusions == 1
    assert cost.as_dict()["hours_per_conclusion"] == pytest.approx(15 / 60)
    assert "cost 15 min of workers, for one verdict" in cost_lines(cost)[0]


def test_what_led_to_a_study_is_part_of_what_its_conclusions_cost_in_every_form() -> None:
    """A search of 100 s, in which a trial was cut and one failed, the tuning of two arms, and 60 s of the study."""
    study = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 1.0)}, replicates=3, margin=4.0)
    arm = next(each for each in study.arms if each not in study.baselines)

    def told(trial: Trial) -> dict[str, Any]:
        value = 50.0 + (20 + trial.replicate % 2 if trial.arm == arm else 0)
        return {"attempts": attempts((0, 10, "finished")), "metrics": {"top1": value, "total_s": 10}}

    searched = [
        ended(arm, 1, attempts=attempts((0, 60, "finished")), metrics={"total_s": 60}),
        ended(arm, 2, attempts=attempts((0, 10, "interrupted"), (50, 60, "stopped")), outcome="stopped"),
        ended(arm, 3, attempts=attempts((0, 15, "failed")), outcome="failed"),
        ended(arm, 4, metrics={"total_s": 5}),  # of an earlier release, whose attempts tell no times
    ]
    before = [
        Before(kind="search", name="rate", records=searched),
        Before(kind="tuning", name="k=1", records=searched[:1]),
        Before(kind="tuning", name="k=0.25", records=searched[2:3]),
    ]
    cost = costed(told, study, Prices(worker_hour=36.0, currency="EUR"), before)
    seconds_of = {(row.kind, row.name): round(3600 * row.worker_hours) for row in cost.rows}
    assert seconds_of == {
        ("contrast", arm.name): 60,
        ("search", "rate"): 100,
        ("tuning", "k=1"): 60,
        ("tuning", "k=0.25"): 15,
    }
    assert cost.conclusions == 1
    told_so = cost.as_dict()
    assert told_so["hours_per_conclusion"] == pytest.approx(235 / 3600)
    assert told_so["hours_before"] == pytest.approx(175 / 3600)
    assert told_so["lost_hours"] == 0, "what a search cut is how it finds"
    assert cost.money == pytest.approx(2.35)
    assert [row["what for"] for row in cost_display_rows(cost)] == [
        arm.name,
        "the search rate",
        "tuning k=1",
        "tuning k=0.25",
    ]
    assert [row["trials"] for row in cost_display_rows(cost)][1:] == ["4", "1", "1"]
    assert "of it to find what is compared" in cost_lines(cost)[0]
    assert "the search rate" in costs_as_markdown(cost)
    assert len(rich_costs(cost).rows) == 4
    assert "to find what" not in cost_lines(costed(told, study))[0]


@pytest.mark.parametrize(
    ("gpu", "worker", "found"),
    [
        ("2.49 EUR", "", Prices(gpu_hour=2.49, currency="EUR")),
        ("3€", "0.1 €", Prices(gpu_hour=3.0, worker_hour=0.1, currency="€")),
        ("", "", Prices()),
        ("cheap", "", "give the price of an hour and its currency, such as '2.49 EUR'"),
        ("2.49", "", "give the price of an hour and its currency"),
        ("-2 EUR", "", "give the price of an hour and its currency"),
        ("2 EUR", "1 USD", "one report has one currency"),
    ],
)
def test_a_price_is_a_number_with_a_currency_or_a_sentence(
    monkeypatch: pytest.MonkeyPatch, gpu: str, worker: str, found: Prices | str
) -> None:
    monkeypatch.setenv("PARIBUS_GPU_HOUR_PRICE", gpu)
    monkeypatch.setenv("PARIBUS_WORKER_HOUR_PRICE", worker)
    if isinstance(found, Prices):
        assert prices() == found
        return
    with pytest.raises(StudyError, match=found):
        prices()
