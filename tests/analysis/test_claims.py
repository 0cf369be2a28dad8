"""Claims against verdicts."""

from dataclasses import replace

import pytest

from paribus.analysis.claims import WITHIN_MARGIN, Outcome, describe_setting, judge_claim, outcome_of
from paribus.analysis.statistics.intervals import Interval
from paribus.analysis.study_analysis import analyse
from paribus.analysis.verdicts import VERDICTS, Verdict
from paribus.study import Claim, Study
from paribus.study.words import Direction

TABLE: dict[Direction, dict[Verdict, Outcome]] = {
    "better": {
        "better": "reproduced",
        "better (stabler)": "reproduced",
        "worse": "contradicted",
        "worse (unstable)": "contradicted",
        "equivalent": WITHIN_MARGIN,
        "equivalent, with a small difference": WITHIN_MARGIN,
    },
    "worse": {
        "worse": "reproduced",
        "worse (unstable)": "reproduced",
        "better": "contradicted",
        "better (stabler)": "contradicted",
        "equivalent": WITHIN_MARGIN,
        "equivalent, with a small difference": WITHIN_MARGIN,
    },
    "no harm": {
        "better": "reproduced",
        "equivalent": "reproduced",
        "equivalent, with a small difference": "reproduced",
        "worse": "contradicted",
        "worse (unstable)": "contradicted",
    },
    "stabler": {"better (stabler)": "reproduced", "worse (unstable)": "contradicted"},
}


@pytest.mark.parametrize("direction", TABLE)
def test_each_verdict_says_one_thing_of_each_claim(direction: Direction) -> None:
    for verdict in VERDICTS:
        assert outcome_of(direction, verdict) == TABLE[direction].get(verdict, "unresolved")
    assert outcome_of(direction, None) == "unresolved"


WIDER = {1.0: [90.0, 90.2, 89.8, 90.1, 89.9], 2.0: [95.0, 95.4, 94.8, 95.2, 95.3]}


def test_a_claim_speaks_of_all_its_arms(study: Study, results_of) -> None:
    for four, expected in (
        ([96.0, 96.3, 95.7, 96.1, 96.2], "reproduced"),
        ([80.0, 80.5, 79.8, 80.1, 80.2], "contradicted"),
        ([85.0, 96.3, 89.7, 92.1, 90.2], "unresolved"),
        ([90.1, 90.1, 89.9, 90.0, 90.0], WITHIN_MARGIN),
    ):
        claim = analyse(study, results_of(study, {**WIDER, 4.0: four})).claim
        assert claim is not None
        assert claim.outcome == expected
        assert "over 2 contrasts" in claim.reasons[0]


def test_a_claim_may_concern_some_arms_only(study: Study, results_of) -> None:
    contrasts = analyse(study, results_of(study, {**WIDER, 4.0: [80.0, 80.5, 79.8, 80.1, 80.2]})).contrasts
    claim = Claim("twice as wide is better", "x", direction="better", arms={"model.width": (2.0,)})
    assert judge_claim(claim, contrasts).outcome == "reproduced"
    nothing = judge_claim(replace(claim, arms={"model.width": (64.0,)}), contrasts)
    assert (nothing.outcome, nothing.reasons) == ("unresolved", ("no arm of the study is one that the claim is about",))


def test_a_claim_about_another_metric_is_unresolved_and_says_so(study: Study, results_of) -> None:
    contrasts = analyse(study, results_of(study, {**WIDER, 4.0: WIDER[2.0]})).contrasts
    found = judge_claim(Claim("t", "s", direction="better", metric="log_likelihood"), contrasts)
    assert found.outcome == "unresolved"
    assert "about log_likelihood" in found.reasons[0]


def test_a_claim_prints_its_setting_beside_the_studys(study: Study, results_of) -> None:
    claim = analyse(study, results_of(study, WIDER), num_eval=397).claim
    assert claim is not None
    assert claim.differences[0] == "source: CIFAR-10, 200 epochs"
    assert "digits" in claim.differences[1]
    assert "397 evaluation images, 5 replicates" in claim.differences[1]


def test_a_claimed_size_is_held_against_the_interval_and_the_margin(study: Study, results_of) -> None:
    contrasts = analyse(study, results_of(study, {**WIDER, 4.0: [90.1, 90.1, 89.9, 90.0, 90.0]})).contrasts
    claim = Claim("t", "s", direction="better", effect=5.0)
    reasons = judge_claim(claim, contrasts).reasons
    assert reasons[0] == "over 2 contrasts: reproduced in 1, not reproduced: within the margin in 1"
    assert "k=2: better (n = 5), so reproduced; the claimed +5 points lie in its interval [+" in reasons[1]
    assert "the claimed +5 points lie outside its interval [" in reasons[2]
    small = judge_claim(replace(claim, effect=0.3, direction="worse"), contrasts[1:])
    assert small.outcome == WITHIN_MARGIN
    assert "the claimed -0.3 points" in small.reasons[1]
    assert "within the margin of ±0.5, so that this study cannot tell them from nothing" in small.reasons[1]
    assert "claimed" not in judge_claim(replace(claim, effect=None), contrasts).reasons[1]


def test_no_harm_is_not_reproduced_with_a_failure_excess_of_one(study: Study, results_of) -> None:
    claim = Claim("never harms", "s", direction="no harm")
    same = [90.1, 90.1, 89.9, 90.0, 90.0]
    calm = analyse(study, results_of(study, {1.0: BASE, 2.0: same})).contrasts[:1]
    assert judge_claim(claim, calm).outcome == "reproduced"
    one = analyse(study.vary(replicates=6), results_of(study, {1.0: [*BASE, 90.0], 2.0: [*same, "stuck"]})).contrasts
    assert judge_claim(claim, one[:1]).outcome == "unresolved"


BASE = WIDER[1.0]


def test_a_size_at_the_end_of_the_interval_lies_in_it_and_one_at_the_margin_is_not_within_it(study, results_of) -> None:
    contrast = analyse(study, results_of(study, WIDER)).contrasts[0]
    given = replace(contrast, interval=Interval(low=0.5, high=2.0, level=0.95), margin=0.5)

    def told(effect: float) -> str:
        return judge_claim(Claim("t", "s", direction="better", effect=effect), [given]).reasons[1]

    for effect, where, within in (
        (0.5, "in", False),
        (2.0, "in", False),
        (0.49, "outside", True),
        (2.01, "outside", 0),
    ):
        assert f"the claimed +{effect:g} points lie {where} its interval [+0.5, +2]" in told(effect)
        assert ("within the margin of ±0.5" in told(effect)) is bool(within)
    assert "within the margin" not in judge_claim(Claim("t", "s", direction="worse", effect=3.0), [given]).reasons[1]
    without = judge_claim(Claim("t", "s", direction="better", effect=0.3), [replace(given, margin=None)])
    assert "margin" not in without.reasons[1]


@pytest.mark.parametrize(
    ("metric", "direction", "signed"),
    [
        ("top1", "better", "+0.2 points"),
        ("top1", "worse", "-0.2 points"),
        ("eval_loss", "better", "-0.2 nats"),
        ("eval_loss", "worse", "+0.2 nats"),
    ],
)
def test_a_claimed_size_has_the_sign_that_its_direction_has_on_the_metric(
    study: Study, results_of, metric: str, direction: Direction, signed: str
) -> None:
    contrasts = analyse(study.vary(metric=metric, margin=0.4), results_of(study, WIDER)).contrasts[:1]
    claim = Claim("t", "s", direction=direction, metric=metric, effect=0.2)
    assert f"; the claimed {signed} lie " in judge_claim(claim, contrasts).reasons[1]
    no_interval = [replace(contrasts[0], interval=None)]
    assert "claimed" not in judge_claim(claim, no_interval).reasons[1]


def test_a_claim_of_stability_is_judged_whatever_metric_it_names_and_others_are_not(study: Study, results_of) -> None:
    failing = {1.0: ["dead"] * 5, 2.0: WIDER[2.0], 4.0: WIDER[2.0]}
    contrasts = analyse(study, results_of(study, failing)).contrasts
    stabler = Claim("t", "s", direction="stabler", metric="log_likelihood")
    assert judge_claim(stabler, contrasts).outcome == "reproduced"
    assert judge_claim(replace(stabler, metric="top1"), contrasts).outcome == "reproduced"
    assert judge_claim(replace(stabler, direction="better"), contrasts).outcome == "unresolved"


def test_secondary_contrasts_are_no_part_of_a_claim(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {**WIDER, 4.0: WIDER[2.0]}))
    claim = Claim("t", "s", direction="better")
    assert judge_claim(claim, [*found.secondary, *found.contrasts]).reasons[0] == "over 2 contrasts: reproduced in 2"
    one = judge_claim(claim, [*found.secondary, found.contrasts[0]])
    assert one.reasons[0] == "over 1 contrast: reproduced in 1"


def test_the_studys_setting_in_numbers() -> None:
    caveats = {
        "data.name": "cifar10",
        "data.train_fraction": 0.25,
        "model.family": "wrn",
        "model.depth": 16,
        "model.width": 2.0,
        "budget.amount": 12.0,
        "budget.unit": "epochs",
    }
    assert describe_setting(caveats, 10_000, 5) == (
        "cifar10 (25 % of its training images), wrn of depth 16, width 2, 12 epochs, 10000 evaluation images, "
        "5 replicates"
    )
    assert describe_setting({"data.name": "cifar10"}, None, 3) == "cifar10, 3 replicates"
    assert describe_setting({"data.name": "x", "data.train_fraction": 1.0, "model.width": 0.5}, 1, 3) == (
        "x, model of width 0.5, 1 evaluation images, 3 replicates"
    )
    assert describe_setting({"model.depth": 8}, None, 1) == "model of depth 8, 1 replicates"


def test_settings_that_nobody_stated_are_said_to_be_unstated(study: Study, results_of) -> None:
    contrasts = analyse(study, results_of(study, WIDER)).contrasts
    assert judge_claim(Claim("t", "s"), contrasts).differences == (
        "source: setting not stated",
        "this study: not described",
    )
    assert judge_claim(Claim("t", "s", setting="CIFAR"), contrasts, "digits").differences == (
        "source: CIFAR",
        "this study: digits",
    )
