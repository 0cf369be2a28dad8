"""What an analysis says of its study: what was asked for, what ended, who is paired, which looks came before."""

from dataclasses import replace

import numpy as np
import pytest

from paribus.analysis import analyse
from paribus.analysis.looks import Looks
from paribus.analysis.statistics.pairing import pairing_of
from paribus.study import Study

BASE = [90.0, 90.2, 89.8, 90.1, 89.9]
WIDE = [95.0, 95.4, 94.8, 95.2, 95.3]


def test_a_study_is_described_by_what_was_asked_for_and_what_ended(study: Study, results_of) -> None:
    table = {1.0: [*BASE[:3], "stopped", "failed"], 2.0: [*WIDE[:3], "stopped"]}
    found = analyse(study.vary(alpha=0.1, margin=0.75), results_of(study, table), num_eval=400)
    assert (found.alpha, found.margin, found.num_replicates, found.num_eval) == (0.1, 0.75, 5, 400)
    assert found.num_expected == 15
    assert list(found.notes[:3]) == [
        "9 of 15 trials have ended: numbers and verdicts may still change",
        "exploratory: a scheduler stopped 2 trials, which are in no mean and no contrast",
        "1 trials failed (no result, for a reason outside of training): in no mean and no contrast",
    ]
    assert [arm.is_baseline for arm in found.arms] == [True, False, False]


def test_a_complete_study_is_not_said_to_change_and_an_unknown_number_of_examples_is_said(study, results_of) -> None:
    whole = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: BASE})
    known, unknown = analyse(study, whole, num_eval=400), analyse(study, whole)
    assert not any("have ended" in note or "failed (" in note or "stuck" in note for note in known.notes)
    assert not any("is unknown" in note for note in known.notes)
    assert any("number of evaluation examples is unknown" in note for note in unknown.notes)
    loss = analyse(study.vary(metric="eval_loss", margin=0.01), whole)
    assert not any("is unknown" in note for note in loss.notes), "a loss has no smallest step"
    assert any(note.startswith("14 of 15") for note in analyse(study, whole[:-1], num_eval=400).notes)


def test_results_of_other_arms_and_of_replicates_not_asked_for_are_not_judged(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: BASE})
    stranger = replace(results[0], arm=replace(study, factors={"model.width": (1.0, 8.0)}).arms[1])
    found = analyse(study, [*results, stranger], replicates=(2, 3, 4))
    assert found.outcomes == {"finished": 9}
    assert [contrast.replicates for contrast in found.contrasts] == [(2, 3, 4)] * 2


def test_pairing_is_over_the_arms_that_trained_most_often_and_are_no_other_arm_again(study, results_of) -> None:
    lossy = [*WIDE[:3], "dead", "dead"]
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: lossy}), num_eval=400).pairing
    expected = pairing_of(np.array([BASE, WIDE]))
    assert found is not None
    assert expected is not None
    assert (found.num_arms, found.rho) == (2, pytest.approx(expected.rho))
    three = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: [90.3, 90.1, 90.4, 89.7, 90.5]})).pairing
    assert three is not None
    assert three.num_arms == 3


def test_looks_are_told_at_the_most_pairs_of_any_contrast_and_over_all_of_them(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: [*WIDE[:4], "dead"], 4.0: BASE[:4]})
    looks = Looks(own=(3, 4, 5))
    found = analyse(study.vary(alpha=0.1), results, looks=looks)
    assert found.looks == Looks(own=(3, 4))
    assert found.notes[0] == found.looks.sentences(5, 2, 0.1)[0]
    assert not analyse(study, results).looks


def test_verdicts_are_counted_in_the_order_of_the_words(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE}))
    assert found.verdict_counts() == {"better": 2}
    mixed = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE}))
    assert list(mixed.verdict_counts().items()) == [("better", 1), ("no data", 1)]
