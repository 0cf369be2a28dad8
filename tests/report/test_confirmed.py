"""Which setting of a search is the best: before its confirmation, after it, and where something speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trial_records import digest, record_of

from paribus import Choice, Search
from paribus.analysis import analyse
from paribus.commands.study.search_verbs import told
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.search_preview import SearchPreview
from paribus.engine.searches.tried import Tried
from paribus.report.drawing.search_tables import best_text, confirmed_rows
from paribus.report.searches.search_report import SearchReport, search_report
from paribus.report.searches.search_texts import chosen_line, confirmed_lines
from paribus.report.study_report import StudyReport, arm_rows, trial_rows
from paribus.study.plan import Trial, places, trials
from paribus.study.settings import Settings

RATES = (0.1, 0.2, 0.3, 0.4)
# What the search saw: 0.4 best, then 0.3, then 0.2; the baseline is the base recipe's 0.1.
SEEN = {0.1: 80.0, 0.2: 85.0, 0.3: 90.0, 0.4: 95.0}
# A fresh run's value, or how else it ended; None: it has not begun.
Fate = Callable[[float, int], float | str | None]


def search(**fields: Any) -> Search:
    usual: dict[str, Any] = {"trials": 4, "sampler": "grid", "scheduler": "none", "margin": 2.0, "confirm": 5}
    return Search(**{"name": "rate", "space": {"optimizer.lr": Choice(*RATES)}, **usual, **fields})


def searched(made: Search) -> SearchReport:
    """The search at its end, without a confirmation."""
    tried = [
        Tried(
            number=number,
            levels={"optimizer.lr": rate},
            state="finished",
            outcome="finished",
            metrics={made.metric: SEEN[rate] * made.primary.sign, "total_s": 1.0},
        )
        for number, rate in enumerate(RATES)
    ]
    walk = walk_of(made, 1, sampler_of(made), scheduler_of("none"), tried)
    preview = SearchPreview(
        search=made, settings=Settings(), walk=walk, records={}, stale=(), notes=(), power=None, digest=digest
    )
    return search_report(preview)


def confirmed(made: Search, fate: Fate, seconds: Callable[[float, int], float] = lambda rate, r: 1.0) -> SearchReport:
    """The search and its confirmation, of whose runs `fate` says what became."""
    found = searched(made)
    study = made.confirmation([each.levels for each in found.best])
    records = []
    for trial in trials(study, digest):
        end = fate(rate_of(trial), trial.replicate)
        if isinstance(end, str):
            records.append(record_of(trial, outcome=end, metrics={}))
        elif end is not None:
            own = {made.metric: end, "total_s": seconds(rate_of(trial), trial.replicate)}
            records.append(record_of(trial, metrics=own))
    rows = trial_rows(records, places(trials(study, digest)), live=False)
    judged = analyse(study, [record.result() for record in records], num_eval=1000)
    report = StudyReport(
        name=study.name, url="", study=study, trials=rows, analysis=judged, arms=arm_rows(judged, rows)
    )
    return replace(found, confirmation=report)


def rate_of(trial: Trial) -> float:
    rate = trial.arm.as_dict()["optimizer.lr"]
    assert isinstance(rate, float)
    return rate


def noise(replicate: int) -> float:
    return 0.1 * (replicate % 3)


def exported(report: SearchReport) -> float | None:
    recipe = report.recipe()
    return None if recipe is None else recipe.optimizer.lr


def test_before_a_confirmation_the_best_is_what_the_search_saw_and_is_not_confirmed() -> None:
    for made in (search(), search(confirm=0)):
        report = searched(made)
        assert exported(report) == 0.4
        assert "not confirmed" in chosen_line(report)
        assert report.as_dict()["chosen"]["confirmed"] is False
        assert report.as_dict()["chosen"]["number"] == 3


def test_after_it_the_best_is_what_stands_up_best_and_not_what_the_search_saw_as_best() -> None:
    afresh = {0.1: 80.0, 0.2: 84.0, 0.3: 88.0, 0.4: 83.0}
    report = confirmed(search(), lambda rate, r: afresh[rate] + noise(r))
    assert exported(report) == 0.3
    chosen = report.as_dict()["chosen"]
    assert (chosen["number"], chosen["levels"], chosen["confirmed"], chosen["verdict"]) == (
        2,
        {"optimizer.lr": 0.3},
        True,
        "better",
    )
    assert "the best: #2 lr=0.3; confirmed, better, n = 5: the best mean of 3 that are better" in chosen_line(report)
    assert "of what the search saw" in best_text(report)
    recipe = report.recipe()
    assert recipe is not None
    assert recipe.data.holdout == 0.0


def test_of_a_metric_of_which_less_is_better_the_least_stands_up_best() -> None:
    afresh = {0.1: 8.0, 0.2: 4.0, 0.3: 3.0, 0.4: 5.0}
    made = search(metric="eval_loss", margin=0.4)
    report = confirmed(made, lambda rate, r: afresh[rate] + noise(r) * rate)
    assert made.primary.sign == -1
    assert exported(report) == 0.3


def test_where_nothing_is_better_than_the_baseline_the_baseline_stays_and_it_is_said() -> None:
    afresh = {0.1: 80.0, 0.2: 80.5, 0.3: 81.0, 0.4: 79.0}
    report = confirmed(search(), lambda rate, r: afresh[rate] + 6 * ((r * round(10 * rate)) % 5 - 2))
    assert not {each.verdict for each in report.confirmed()} & {"better", "better (stabler)"}
    assert exported(report) == 0.1
    assert "the best: the baseline; confirmed: none of 3 confirmed settings is better than it" in chosen_line(report)


def test_a_setting_whose_fresh_runs_do_not_all_train_is_not_the_best_however_good_the_others_are() -> None:
    afresh = {0.1: 80.0, 0.2: 84.0, 0.3: 88.0, 0.4: 83.0}
    for end in ("diverged", "failed"):
        report = confirmed(search(), lambda rate, r, end=end: end if (rate, r) == (0.3, 2) else afresh[rate] + noise(r))
        assert exported(report) == 0.2
        (row,) = [each for each in report.confirmed() if each.number == 2]
        assert row.against == (
            ("did not train in 1 of 5 fresh runs",) if end == "diverged" else ("has no result of 1 of 5 fresh runs",)
        )


def test_a_setting_that_breaks_a_constraint_on_fresh_seeds_keeps_its_verdict_with_a_note_and_is_never_the_best() -> (
    None
):
    afresh = {0.1: 80.0, 0.2: 84.0, 0.3: 88.0, 0.4: 83.0}
    made = search(constraints=("total_s < 3",))
    report = confirmed(
        made, lambda rate, r: afresh[rate] + noise(r), lambda rate, r: 4.0 if rate == 0.3 and r > 3 else 1.0
    )
    (row,) = [each for each in report.confirmed() if each.number == 2]
    assert row.verdict == "better"
    assert row.against == ("breaks total_s < 3 in 2 of 5 fresh runs, 2.2 in the mean",)
    assert exported(report) == 0.2
    lines = "\n".join(confirmed_lines(report))
    assert "n = 5: better; but it breaks total_s < 3 in 2 of 5 fresh runs" in lines
    assert [each["against it"] for each in confirmed_rows(report)].count("") == 2
    assert [each["against"] for each in report.as_dict()["confirmed"]].count(()) == 2
    whole = confirmed(made, lambda rate, r: afresh[rate] + noise(r))
    assert all("against it" not in each for each in confirmed_rows(whole))


def test_a_baseline_that_breaks_a_constraint_is_no_answer_and_neither_is_what_breaks_it_too() -> None:
    made = search(constraints=("total_s < 3",))
    report = confirmed(made, lambda rate, r: 80 + noise(r), lambda rate, r: 9.0 if rate in (0.1, 0.4) else 1.0)
    assert exported(report) == 0.3, "of those equal the one that the search saw as better"
    assert "for the baseline breaks total_s < 3 in 5 of 5 fresh runs" in chosen_line(report)
    none = confirmed(made, lambda rate, r: 80 + noise(r), lambda rate, r: 9.0)
    assert exported(none) is None
    assert "the best: nothing; the baseline breaks total_s < 3" in chosen_line(none)


def test_a_page_that_is_asked_of_a_search_before_its_confirmation_is_said_not_to_be_written(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = told(searched(search()), Options(html=str(page)))
    assert "no file is written: a search's page is that of its confirmation" in answer.text
    assert "no file is written" not in told(searched(search()), Options()).text
    assert not page.exists()


@pytest.mark.parametrize("left", [1, 20])
def test_as_long_as_fresh_runs_are_to_come_nothing_is_confirmed(left: int) -> None:
    count = iter(range(20))
    report = confirmed(search(), lambda rate, r: None if next(count) >= 20 - left else 80 + 10 * rate + noise(r))
    assert exported(report) == 0.4
    assert f"not confirmed yet ({left} of 20 fresh runs are to come)" in chosen_line(report)


def test_a_setting_found_after_the_confirmation_is_not_passed_off_as_confirmed() -> None:
    report = confirmed(search(top=2), lambda rate, r: 80 + 10 * rate + noise(r))
    assert report.as_dict()["chosen"]["confirmed"] is True
    later = replace(report, best=searched(search(top=3)).best)
    assert "#1 is among the best since, and was not trained again" in chosen_line(later)
