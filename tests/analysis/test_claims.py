"""Claims against verdicts."""

from dataclasses import replace

import pytest

from paribus.analysis.claims import Outcome, judge_claim, outcome_of
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
    },
    "worse": {
        "worse": "reproduced",
        "worse (unstable)": "reproduced",
        "better": "contradicted",
        "better (stabler)": "contradicted",
    },
    "no harm": {
        "better": "reproduced",
        "better (stabler)": "reproduced",
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
