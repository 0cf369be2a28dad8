"""The arms with what became of each, and what all of them share: a person's own choices first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from trial_records import ended

from paribus.analysis import analyse
from paribus.report.drawing.arm_tables import arm_verdict_rows
from paribus.report.fixed import fixed_in
from paribus.report.study_report import StudyReport, TrialRow, arm_rows, state_of
from paribus.study import Study, TrialResult

Make = Callable[[Study, Mapping[float, Sequence[float | str]]], list[TrialResult]]


def report_of(study: Study, results: Sequence[TrialResult]) -> StudyReport:
    metrics = {"num_params": 175_000.0, "total_s": 36.0, "gpu_s": 18.0}
    rows = []
    for result in results:
        record = ended(result.arm, result.replicate, outcome=result.outcome, metrics={**result.metrics, **metrics})
        state = state_of(record)
        rows.append(TrialRow(trial_id="", arm=result.arm, replicate=result.replicate, state=state, record=record))
    found = analyse(study, results)
    return StudyReport(
        name=study.name, url="", study=study, trials=tuple(rows), analysis=found, arms=arm_rows(found, rows)
    )


def test_each_arm_stands_with_its_verdict_its_spread_who_trained_through_and_what_it_cost(
    study: Study, results_of: Make
) -> None:
    table = {1.0: [90.0, 90.2, 89.8, 90.1, 89.9], 2.0: [95.0, 95.4, 94.8, 95.2, "failed"], 4.0: ["dead"] * 5}
    base, wide, dead = arm_verdict_rows(report_of(study, results_of(study, table)))
    assert base == {
        "arm": "k=1",
        "verdict": "baseline",
        "top-1 (%), mean ± sd": "90.00 ± 0.16",
        "n": "5",
        "trained through": "5 of 5",
        "no result": "-",
        "parameters": "175 k",
        "seconds a trial": "36",
        "GPU-hours": "0.025",
    }
    assert (wide["verdict"], wide["n"], wide["trained through"], wide["no result"]) == ("better", "4", "4 of 4", "1")
    assert (dead["top-1 (%), mean ± sd"], dead["trained through"]) == ("-", "0 of 5")


def test_what_a_person_fixed_comes_apart_from_what_the_preset_brings(study: Study, results_of: Make) -> None:
    chosen = replace(study, fixed={"optimizer.lr": 0.3, "budget": "2 epochs"}, claim=None)
    found = fixed_in(report_of(chosen, results_of(chosen, {1.0: [90.0]})))
    assert found.base == "digits"
    assert set(found.own) == {"optimizer.lr = 0.3", "budget = 2 epochs"}
    assert "momentum = 0.9" in found.preset["optimizer"]
    assert not any(line.startswith("lr = ") for line in found.preset["optimizer"])
    assert not any("width" in line for lines in found.preset.values() for line in lines)
