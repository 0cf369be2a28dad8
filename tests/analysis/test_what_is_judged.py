"""On which results a study is judged, and what is said where somebody looked at them before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.analysis import analyse
from paribus.analysis.looks import Looks, error_rates
from paribus.study import Study

BASE = [90.0, 90.2, 89.8, 90.1, 89.9]
WIDE = [95.0, 95.4, 94.8, 95.2, 95.3]


def test_results_of_arms_that_the_study_does_not_have_are_left_out(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: [*WIDE[:4], "failed"]})
    narrower = study.vary(factors={"model.width": (1.0, 2.0)})
    found = analyse(narrower, [*results, replace(results[-1], replicate=6, outcome="stopped")])
    assert found.outcomes == {"finished": 10}
    assert not found.exploratory
    assert not any("failed (no result" in note for note in found.notes)
    assert repr(found) == repr(analyse(narrower, results[:10]))


def test_a_judgement_on_some_replicates_sees_no_others(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: ["stopped", *WIDE[1:]], 4.0: WIDE})
    found = analyse(study, results, replicates=(2, 4, 5))
    assert found.outcomes == {"finished": 9}
    assert (found.num_replicates, found.num_expected, found.exploratory) == (3, 9, False)
    assert [contrast.replicates for contrast in found.contrasts] == [(2, 4, 5)] * 2
    assert found.contrasts[1].mean == pytest.approx((5.2 + 5.1 + 5.4) / 3)
    assert analyse(study, results).exploratory, "with all of them one was stopped"


def test_a_look_is_told_first_with_its_rates_and_counts_before_the_longest_contrast(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE[:3], 4.0: WIDE})
    looks = Looks(own=(3, 5))
    found = analyse(study, results, looks=looks)
    assert found.looks == Looks(own=(3,)), "of the pairs of the contrast that has most: 5"
    assert found.notes[0] == Looks(own=(3,)).sentences(5, 2, 0.05)[0]
    rates = error_rates((3, 5), 2, 0.05)
    assert (
        f"a chance of {100 * rates.difference:.0f} % and a false equivalent of {100 * rates.equivalence:.0f} %"
        in (found.notes[0])
    )
    assert found.claim is not None
    assert found.claim.outcome == "reproduced, after looking"


def test_without_a_look_before_it_nothing_of_looks_is_told(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    plain = analyse(study, results)
    assert not plain.looks
    assert not any("look" in note for note in plain.notes)
    assert repr(analyse(study, results, looks=Looks(own=(5,)))) == repr(plain), "a look at as many pairs is this one"
    assert plain.claim is not None
    assert plain.claim.outcome == "reproduced"


def test_a_broken_pairing_leaves_the_claim_unresolved(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    claim = analyse(study, results, broken=("replicate 3 saw other data",)).claim
    assert claim is not None
    assert (claim.outcome, claim.reasons[0]) == ("unresolved", "the pairing is broken: replicate 3 saw other data")


def test_a_complete_study_says_neither_that_it_is_not_nor_that_anything_failed(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    found = analyse(study, results, num_eval=10_000)
    assert found.num_expected == 15
    assert found.notes[0] == "intervals cover training chance (other seeds, this test set) unless they say otherwise"
    for words in ("have ended", "trials failed", "stuck", "is unknown", "exploratory"):
        assert not any(words in note for note in found.notes), words
    assert "14 of 15 trials have ended" in analyse(study, results[:-1]).notes[0]
    assert [arm.is_baseline for arm in found.arms] == [True, False, False]


def test_an_unknown_number_of_examples_is_told_where_the_metric_counts_them(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})

    def told(asked: Study, num_eval: int | None) -> bool:
        return any(
            "number of evaluation examples is unknown" in note for note in analyse(asked, results, num_eval).notes
        )

    assert told(study, None)
    assert not told(study, 400)
    assert not told(study.vary(metric="eval_loss", margin=0.01, claim=None), None), "a loss has no smallest step"


def test_trials_without_a_result_are_counted_and_so_are_those_at_chance(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: ["failed", "failed", *WIDE[2:]], 4.0: ["stuck", *WIDE[1:]]})
    notes = analyse(study, results).notes
    assert "2 trials failed (no result, for a reason outside of training): in no mean and no contrast" in notes
    assert "1 trials are stuck at chance and count as failures to train" in notes, "it gave no reason"
    told = [replace(r, reason="top-1 at 10 %") if r.outcome == "stuck" else r for r in results]
    assert "1 trials are stuck at chance and count as failures to train; the first: top-1 at 10 %" in (
        analyse(study, told).notes
    )


def test_an_accuracy_without_a_number_of_examples_is_said_to_be_unchecked(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    unknown = "the number of evaluation examples is unknown: the margin could not be checked against it"
    assert unknown in analyse(study, results).notes
    assert unknown not in analyse(study, results, num_eval=10_000).notes
    nats = replace(study, metric="log_likelihood", margin=0.1, claim=None)
    assert unknown not in analyse(nats, results).notes, "a likelihood has no smallest step"
