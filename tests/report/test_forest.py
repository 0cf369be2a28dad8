"""The picture of effects: every pair, interval and mean where they belong, whose training failed, names as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from paribus.analysis import StudyAnalysis, analyse
from paribus.report.drawing.figures.arranged import arranged, groupings
from paribus.report.drawing.figures.forest import forest
from paribus.study import Study, TrialResult
from paribus.study.words import Arm

TABLE = {
    1.0: [90.0, 90.2, 89.8, "dead", "diverged"],
    2.0: [95.0, 95.4, 94.8, 95.2, 95.3],
    4.0: [90.1, "dead", 90.4, 90.0, "dead"],
}


@pytest.fixture
def analysis(study: Study, results_of: Callable[[Study, Mapping[float, Sequence[float | str]]], list[TrialResult]]):
    return analyse(study, results_of(study, TABLE))


def rows(html: str) -> list[str]:
    return [part for part in html.split('<div class="row">') if "<svg class=" in part]


def test_every_pair_interval_and_mean_stands_on_one_scale_and_pairs_lie_over_the_interval(
    analysis: StudyAnalysis,
) -> None:
    html = forest(analysis.contrasts)
    wide, wider = rows(html)
    # Three pairs and the mean; two and the mean.
    assert (wide.count("<circle"), wider.count("<circle")) == (4, 3)
    assert wide.index("<line", wide.index("<line") + 1) < wide.index("<circle")
    places = [float(found) for found in re.findall(r'<circle cx="([\d.]+)%" cy="17" r="3.5"', wide)]
    (mean,) = re.findall(r'<circle cx="([\d.]+)%" cy="17" r="5.5"', wide)
    assert float(mean) == pytest.approx(sum(places) / 3, abs=0.02)
    assert all(re.search(rf"pair {replicate}: \+", wide) for replicate in (1, 2, 3))
    assert "The band is the margin of ±0.5 points." in html
    assert "right of 0 is better" in html
    assert forest([]) == ""


def test_marks_say_whose_training_failed_and_the_arm_that_survives_does_not_look_like_the_dying_one(
    analysis: StudyAnalysis,
) -> None:
    wide, wider = rows(forest(analysis.contrasts))
    # k = 2 never failed, its baseline twice: a + alone. k = 4 failed alone once, its baseline alone once, both once.
    assert ">+2<title>of 5 pairs the arm alone failed to train in 0, its baseline alone in 2, both in 0<" in wide
    assert "the arm failed to train in 0, its baseline in 2 of 5" in wide
    assert ">×1 +1 ∗1<title>of 5 pairs the arm alone failed to train in 1, its baseline alone in 1, both in 1<" in wider
    assert "× the arm" in forest(analysis.contrasts)


def test_names_are_shown_as_they_are_and_are_no_tags(analysis: StudyAnalysis) -> None:
    arm = Arm.of({"model.kind": "<script>alert(1)</script>&amp;"})
    html = forest([replace(contrast, arm=arm, baseline=arm) for contrast in analysis.contrasts])
    assert "<script" not in html
    assert "kind=&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;" in html


def test_contrasts_come_in_the_order_and_groups_that_are_asked_for(analysis: StudyAnalysis) -> None:
    wide, wider = analysis.contrasts
    assert [c.arm.name for c in arranged([wider, wide], "effect")[0]] == ["k=2", "k=4"]
    assert [c.arm.name for c in arranged([wider, wide], "study")[0]] == ["k=4", "k=2"]
    assert [c.arm.name for c in arranged([wider, wide], "arm")[0]] == ["k=2", "k=4"]
    worse = replace(wider, verdict="worse")
    assert arranged([worse, wide], "verdict")[0] == [wide, worse]
    assert groupings(analysis.contrasts) == {"": "no groups", "model.width": "by width"}
    shown, heads = arranged([wide, wider, replace(wide, verdict="worse")], "study", "model.width")
    assert [c.arm.name for c in shown] == ["k=2", "k=2", "k=4"]
    assert heads == {0: "width = 2.0", 2: "width = 4.0"}
    html = forest(shown, heads=heads)
    assert html.index("width = 2.0") < html.index("k=2") < html.index("width = 4.0") < html.index("k=4")
