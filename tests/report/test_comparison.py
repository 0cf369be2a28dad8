"""Two studies side by side, and all of a ledger: rows, sentences and the figure."""

from __future__ import annotations

from typing import Any

import pytest
from width_study import Make

from paribus.analysis import StudyAnalysis, analyse
from paribus.report.views.across import Concluded, claim_rows, claims_sentence, cost_rows, costs_sentence
from paribus.report.views.comparison import compare, compared_figure, compared_rows, compared_sentence, differing_setups
from paribus.study import Study

BASE = [90.0, 90.5, 89.5, 90.2, 89.8]


def judged(study: Study, results_of: Make, gains: tuple[float, ...], dead: int = 0) -> StudyAnalysis:
    four: list[float | str] = ["dead"] * dead + BASE[dead:]
    two = [value + gain for value, gain in zip(BASE, gains, strict=True)]
    return analyse(study, results_of(study, {1.0: BASE, 2.0: two, 4.0: four}), num_eval=10_000)


@pytest.fixture
def pair(study: Study, results_of: Make) -> tuple[StudyAnalysis, StudyAnalysis]:
    return (
        judged(study, results_of, (0.1, 0.3, 0.2, 0.0, 0.4)),
        judged(study, results_of, (-3.0, -3.3, -2.9, -3.1, -2.8), dead=4),
    )


def test_rows_put_both_beside_their_difference_and_say_whether_they_agree(
    pair: tuple[StudyAnalysis, StudyAnalysis],
) -> None:
    found = compare(*pair)
    two, four = compared_rows(found, "here", "there")
    assert two["here"].startswith("+0.20 [")
    assert two["there"].startswith("−3.02 [−3.26, −2.78], n = 5: worse")
    assert two["second minus first"].startswith("−3.22 [")
    assert (two["the two"], four["the two"]) == ("differ", "no data")
    assert four["second minus first"] == "-"
    said = compared_sentence(found, 0.5, "points")
    assert said == "Of 2 contrasts that both have: 1 differs, 1 has too few pairs"
    alike = compared_sentence(compare(pair[0], pair[0]), 0.5, "points")
    assert alike == "Of 2 contrasts that both have: 2 agree within ±0.5 points"
    assert "no contrast in common" in compared_sentence([], 0.5, "points")


def test_the_figure_has_both_intervals_and_leaves_open_what_has_none(
    pair: tuple[StudyAnalysis, StudyAnalysis],
) -> None:
    figure = compared_figure(compare(*pair), "here", "there")
    assert figure is not None
    here, there = figure.data
    assert (here.name, there.name) == ("here", "there")
    assert list(here.x) == pytest.approx([0.2, 0.0])
    assert list(there.marker.symbol) == ["square", "square-open"]
    assert there.error_x.array[0] == pytest.approx(0.24, abs=0.01)
    assert compared_figure([], "here", "there") is None


def test_what_is_fixed_otherwise_is_told_field_by_field(study: Study, results_of: Make) -> None:
    other = Study(
        name="width", factors=study.factors, baseline=study.baseline, replicates=5, fixed={"optimizer.lr": 0.3}
    )
    first, second = (judged(each, results_of, (0.1, 0.3, 0.2, 0.0, 0.4)) for each in (study, other))
    (row,) = differing_setups(first, second)
    assert (row["field"], row["second"]) == ("optimizer.lr", "0.3")
    assert differing_setups(first, first) == []


def document(outcome: str = "reproduced", **cost: Any) -> dict[str, Any]:
    row = {"arm": "k=2", "metric": "top1", "unit": "points", "verdict": "better", "mean_delta": 0.712, "n": 5}
    row |= {"low": -0.45, "high": 1.86, "arm_failed": 0, "baseline_failed": 2, "pairs_ended": 7}
    lone = {**row, "arm": "k=4", "verdict": "unresolved", "low": None, "high": None, "n": 1, "baseline_failed": 0}
    gone = {**lone, "arm": "k=8", "verdict": "no data", "mean_delta": None, "n": 0}
    more = {**lone, "arm": "k=16"}
    usual = {"unit": "worker-hours", "hours": 2.0, "lost_hours": 0.5, "hours_before": 0.0, "conclusions": 1}
    usual |= {"hours_per_conclusion": 2.0, "money": None, "currency": None, "rows": [{}]}
    return {"verdicts": [gone, lone, row, more], "claim": {"outcome": outcome}, "cost": {**usual, **cost}}


def concluded(title: str, found: dict[str, Any] | None, why: str = "") -> Concluded:
    claim = {"text": "wider is better", "source": "WRN, Table 4", "setting": "CIFAR-10"}
    return Concluded(title=title, address=f"/study?study={title}", claim=claim, document=found, why=why)


def test_claims_stand_beside_what_was_found_with_intervals_n_and_failures() -> None:
    silent = Concluded(title="silent", address="", claim=None, document=document())
    studies = [concluded("width", document()), concluded("begun", None, "no trial has ended yet"), silent]
    row, waits = claim_rows(studies)
    assert (row["outcome"], row["the source says"], row["source"]) == (
        "reproduced",
        "wider is better",
        "WRN, Table 4 (CIFAR-10)",
    )
    assert row["found"].split("; ") == [
        "k=2: +0.71 [−0.45, +1.86] points, n = 5, failed to train 0 against 2 of 7: better",
        "k=8: no pair trained: no data",
        "k=4: +0.71 points, no interval, n = 1: unresolved",
        "1 more on its page",
    ]
    assert (waits["outcome"], waits["found"]) == ("waits for results", "no trial has ended yet")
    more = [*studies, concluded("other", document("contradicted"))]
    assert claims_sentence(more) == "3 claims: 1 reproduced, 1 contradicted, 1 waits for results"
    assert claims_sentence([silent]) == ""


def test_costs_stand_by_conclusion_the_dearest_first_and_gpu_hours_apart() -> None:
    small = document(hours=0.5, conclusions=0, hours_per_conclusion=None, lost_hours=0.0)
    gpus = document(unit="GPU-hours", hours=1.0, conclusions=2, hours_per_conclusion=0.5, money=2.5, currency="EUR")
    studies = [
        concluded("small", small),
        concluded("wide", document()),
        concluded("gpus", gpus),
        concluded("none", None),
    ]
    rows = cost_rows(studies)
    assert [row["study"] for row in rows] == ["gpus", "wide", "small"]
    assert (rows[0]["money"], rows[1]["money"]) == ("2.50 EUR", "-")
    assert rows[1]["came to nothing"] == "25 %"
    assert (rows[2]["for each conclusion"], rows[2]["came to nothing"]) == ("nothing is resolved", "-")
    said = costs_sentence(studies)
    assert said.startswith("2 conclusions of 1 study: 1 GPU-hours, 0.5 GPU-hours for each; 1 conclusion of 2 studies: ")
    assert costs_sentence([concluded("none", None)]) == ""
