"""Looks that nobody planned: the error rates that they truly have, and how a verdict tells of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis import analyse
from paribus.analysis.looks import Chosen, Looks, error_rates, num_studies, percent
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, WORSE, judge
from paribus.report.drawing.tables import as_markdown, as_text, verdict_rows
from paribus.study import Study

ALPHA = 0.05
# statistics.md, section 7, measured there on seeds of its own: a person looks, and adds replicates until it resolves.
MEASURED = {(3, 5, 8, 12): (0.13, 0.15), (3, 5, 8, 12, 20): (0.155, 0.175), tuple(range(3, 31)): (0.26, 0.30)}
BASE = [90.0, 90.2, 89.8, 90.1, 89.9, 90.3, 90.0]
WIDE = [95.0, 95.4, 94.8, 95.2, 95.3, 95.1, 95.2]


@pytest.mark.parametrize(("looks", "between"), MEASURED.items(), ids=[f"{len(looks)} looks" for looks in MEASURED])
def test_false_differences_come_as_often_as_the_specification_measured(
    looks: tuple[int, ...], between: tuple[float, float]
) -> None:
    low, high = between
    assert low <= error_rates(looks, 1, ALPHA).difference <= high


def test_false_equivalents_come_at_10_to_14_percent_after_looks_at_3_5_8_and_12() -> None:
    assert 0.10 <= error_rates((3, 5, 8, 12), 1, ALPHA).equivalence <= 0.14


@pytest.mark.parametrize("num_contrasts", [1, 6])
@pytest.mark.parametrize("pairs", [5, 14])
def test_one_look_holds_alpha(num_contrasts: int, pairs: int) -> None:
    rates = error_rates((pairs,), num_contrasts, ALPHA)
    assert max(rates.difference, rates.equivalence) <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 10_000)


@pytest.mark.parametrize(("looks", "num_contrasts"), [((6, 7), 1), ((3, 5, 8, 12), 6)])
def test_a_person_who_looks_has_the_printed_rate_on_a_scale_of_their_own(
    looks: tuple[int, ...], num_contrasts: int
) -> None:
    """Other draws, another spread, a margin that matters: who stops at the first verdict that is no `unresolved`."""
    rng = np.random.default_rng(99)
    runs = 0.3 * rng.standard_normal((8_000, num_contrasts + 1, max(looks)))
    deltas = runs[:, 1:] - runs[:, :1]
    going, false = np.ones(len(runs), dtype=bool), np.zeros(len(runs), dtype=bool)
    for n in looks:
        codes = judge(deltas[..., :n], margin=0.05, alpha=ALPHA).codes
        false |= going & np.isin(codes, (BETTER, WORSE)).any(axis=-1)
        going &= (codes == 0).any(axis=-1)
    assert false.mean() == pytest.approx(error_rates(looks, num_contrasts, ALPHA).difference, abs=0.015)


def test_equivalences_are_those_of_effects_at_the_margin() -> None:
    rng = np.random.default_rng(7)
    runs = 0.1 * rng.standard_normal((8_000, 4, 8))
    deltas = runs[:, 1:] - runs[:, :1] - 0.5
    false = np.zeros(len(runs), dtype=bool)
    for n in (4, 8):
        codes = judge(deltas[..., :n], margin=0.5, alpha=ALPHA).codes
        false |= np.isin(codes, (EQUIVALENT, SMALL_DIFFERENCE)).any(axis=-1)
    assert false.mean() == pytest.approx(error_rates((4, 8), 3, ALPHA).equivalence, abs=0.012)


def test_another_seed_is_a_chance_of_its_own() -> None:
    once, twice = error_rates((5,), 1, ALPHA), Looks(elsewhere=((5,),)).rates(5, 1, ALPHA)
    assert twice.difference == pytest.approx(1 - (1 - once.difference) ** 2)
    assert twice.equivalence == pytest.approx(1 - (1 - once.equivalence) ** 2)


def test_looks_in_words() -> None:
    assert Looks().phrase() == ""
    assert Looks(own=(6,)).phrase() == "after a look at 6"
    assert Looks(own=(3, 5, 8)).phrase() == "after looks at 3, 5 and 8"
    assert Looks(elsewhere=((5,),)).phrase() == "after a look at 5 of another seed"
    assert Looks(own=(6,), elsewhere=((5,), (4,))).phrase() == "after looks at 6 and at 5 and 4 of other seeds"
    assert Looks(own=tuple(range(3, 9))).phrase() == "after looks at 6 numbers of replicates from 3 to 8"


def test_only_looks_at_which_a_verdict_could_be_had_and_before_this_one_count() -> None:
    assert Looks(own=(2, 3, 6, 7)).before(7) == Looks(own=(3, 6))
    assert not Looks(own=(6,)).before(6)
    assert not Looks(elsewhere=((6,),)).before(2)


def test_a_verdict_after_a_look_says_so_beside_the_word_and_with_its_rates(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: BASE})
    plain = analyse(study.vary(replicates=7), results)
    found = analyse(study.vary(replicates=7), results, looks=Looks(own=(6,)))
    assert [c.verdict for c in found.contrasts] == [c.verdict for c in plain.contrasts]
    for text in (as_text(found), as_markdown(found)):
        assert "better (after a look at 6)" in text
    assert verdict_rows(found)[0]["after_looks"] == "after a look at 6"
    rates = error_rates((6, 7), 2, ALPHA)
    (note,) = [note for note in found.notes if note.startswith("after a look at 6")]
    assert f"{100 * rates.difference:.0f} %" in note
    assert "--fresh" in note
    assert not any("look" in note for note in plain.notes)


def test_a_claim_that_somebody_looked_at_is_reproduced_after_looking(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    study = study.vary(replicates=7)
    assert analyse(study, results).claim.outcome == "reproduced"
    assert analyse(study, results, looks=Looks(own=(6,))).claim.outcome == "reproduced, after looking"
    assert analyse(study, results, looks=Looks(own=(7,))).claim.outcome == "reproduced", (
        "the same pairs are no new look"
    )
    against = results_of(study, {1.0: WIDE, 2.0: BASE, 4.0: BASE})
    assert analyse(study, against, looks=Looks(own=(6,))).claim.outcome == "contradicted, after looking"


def test_a_claim_on_broken_pairs_is_unresolved_with_the_reason(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    claim = analyse(study, results, broken=("replicate 1: the data streams of k=2 differ",)).claim
    assert claim.outcome == "unresolved"
    assert "the data streams of k=2 differ" in claim.reasons[0]
    without = analyse(study.vary(claim=None), results, looks=Looks(own=(3,)), broken=("the data streams differ",))
    assert without.claim is None


def test_fresh_replicates_are_judged_alone_and_missing_ones_are_not_told_of(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: BASE})
    found = analyse(study.vary(replicates=7), results, replicates=range(5, 8))
    assert [contrast.replicates for contrast in found.contrasts] == [(5, 6, 7)] * 2
    assert found.num_expected == 9
    assert not any("replicates have no pair" in note for contrast in found.contrasts for note in contrast.notes)
    assert not any("have ended" in note for note in found.notes)


def test_rates_in_words_are_of_all_looks_and_all_contrasts_in_percent() -> None:
    looks = Looks(own=(3, 5))
    rates = looks.rates(8, 2, 0.1)
    expected = error_rates((3, 5, 8), 2, 0.1)
    assert (rates.difference, rates.equivalence) == pytest.approx((expected.difference, expected.equivalence))
    text = "; ".join(looks.sentences(8, 2, 0.1))
    assert "better or worse in any of 2 contrasts has" in text
    assert "5: replicates or a seed were added when verdicts" in text
    assert (
        f"has a chance of {100 * rates.difference:.0f} % and a false equivalent of {100 * rates.equivalence:.0f} %"
        in text
    )
    assert text.endswith("where one look has 10 %; --fresh judges on what was added since, alone, at 10 %")
    assert "better or worse in the contrast has" in looks.sentences(8, 1, 0.1)[0]


def test_two_other_seeds_are_two_chances_of_their_own() -> None:
    one, own = error_rates((4, 6), 1, ALPHA), error_rates((5,), 1, ALPHA)
    found = Looks(elsewhere=((4, 6), (4, 6))).rates(5, 1, ALPHA)
    assert found.difference == pytest.approx(1 - (1 - one.difference) ** 2 * (1 - own.difference))
    assert found.equivalence == pytest.approx(1 - (1 - one.equivalence) ** 2 * (1 - own.equivalence))


def test_looks_are_those_of_at_least_three_pairs_before_a_verdict_on_three() -> None:
    assert Looks(own=(3,), elsewhere=((4,),)).before(3) == Looks(elsewhere=((4,),))
    assert Looks(own=(3, 3, 5), elsewhere=((4,),)).before(9) == Looks(own=(3, 5), elsewhere=((4,),))
    assert Looks(own=(3, 4, 5, 6)).phrase() == "after looks at 3, 4, 5 and 6"
    assert Looks(own=(3, 4, 5, 6, 9)).phrase() == "after looks at 5 numbers of replicates from 3 to 9"
    assert Looks(elsewhere=((3, 4),)).phrase() == "after looks at 3 and 4 of another seed"
    assert bool(Looks(elsewhere=((3,),)))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_rates_are_counted_over_ten_thousand_studies_by_scipys_t_tests(alpha: float) -> None:
    """One contrast, so that nothing is corrected: two-sided at alpha for a difference, one-sided against the margin."""
    runs = np.random.default_rng([1, 3, 5]).standard_normal((10_000, 2, 5))
    deltas = runs[:, 1] - runs[:, 0]
    found = np.zeros((2, 10_000), dtype=bool)
    for n in (3, 5):
        found[0] |= stats.ttest_1samp(deltas[:, :n], 0.0, axis=1).pvalue < alpha
        found[1] |= stats.ttest_1samp(deltas[:, :n], 0.0, axis=1, alternative="less").pvalue < alpha
    rates = error_rates((3, 5), 1, alpha)
    assert (rates.difference, rates.equivalence) == tuple(found.mean(axis=1))


def test_a_choice_in_words_says_what_was_what_is_and_since_which_look() -> None:
    margin = Chosen(what="margin", was="0.5 points", now="1 points", pairs=6)
    assert Looks(chosen=(margin,)).phrase() == "margin chosen after a look at 6"
    arms = Chosen(what="arms", was="k=0.5 and k=1 against k=0.25", now="k=1 against k=0.25", pairs=8)
    both = Looks(own=(3,), chosen=(margin, arms))
    assert both.phrase() == "after a look at 3; margin and arms chosen after a look at 8"
    assert margin.sentence() == (
        "the margin was 0.5 points when verdicts on 6 pairs could be had; it is now 1 points: chosen after looking, "
        "and for the verdicts no error rate holds (--fresh judges on replicates added since, alone)"
    )
    assert "the arms were k=0.5 and k=1 against k=0.25 when" in arms.sentence()
    assert "they are now k=1 against k=0.25: chosen" in arms.sentence()
    assert len(both.sentences(8, 2, ALPHA)) == 3
    assert Looks(chosen=(margin,)).sentences(8, 2, ALPHA) == (margin.sentence(),), "there is no rate to be told"


def test_a_claim_chosen_after_a_look_marks_its_outcome_and_no_verdict(study: Study, results_of) -> None:
    claim = Chosen(what="claim", was="not made", now="better on top1", pairs=6)
    looks = Looks(chosen=(claim,))
    assert looks.phrase() == ""
    assert "for the claim's outcome no error rate holds" in claim.sentence()
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    found = analyse(study.vary(replicates=7), results, looks=looks)
    assert [row["after_looks"] for row in verdict_rows(found, secondary=False)] == ["", ""]
    assert "reproduced, after looking" in as_text(found)
    assert "()" not in as_markdown(found)


def test_what_was_trained_again_counts_like_another_seed() -> None:
    again = Looks(chosen=(Chosen(what="trained", was="", now="", pairs=5),))
    assert again.phrase() == "trained again after a look at 5"
    rates, other = again.rates(7, 1, ALPHA), Looks(elsewhere=((5,),)).rates(7, 1, ALPHA)
    assert (rates, again.changed_terms) == (other, ())
    cost, why = again.sentences(7, 1, ALPHA)
    assert f"has a chance of {100 * rates.difference:.0f} %" in cost
    assert "trials were trained again when verdicts could be had" in cost
    assert "replicates or a seed were added" not in cost
    assert why.startswith(
        "trials that had ended when verdicts on 5 pairs could be had were trained again by other code"
    )
    margin = Chosen(what="margin", was="0.5 points", now="1 points", pairs=6)
    both = Looks(elsewhere=((4,),), chosen=(*again.chosen, margin))
    assert both.phrase() == (
        "after a look at 4 of another seed; trained again after a look at 5; margin chosen after a look at 6"
    )
    assert "replicates or a seed were added and trials were trained again when" in both.sentences(7, 1, ALPHA)[0]


@pytest.mark.parametrize("what", ["margin", "trained"])
def test_a_verdict_is_beside_its_choice_in_every_table_and_the_claim_says_after_looking(
    what: str, study: Study, results_of
) -> None:
    looks = Looks(chosen=(Chosen(what=what, was="0.5 points", now="1 points", pairs=6),))
    results = results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})
    found = analyse(study.vary(replicates=7), results, looks=looks)
    assert found.claim.outcome == "reproduced, after looking"
    assert [row["after_looks"] for row in verdict_rows(found, secondary=False)] == [looks.phrase()] * 2
    for text in (as_text(found), as_markdown(found)):
        assert f"better ({looks.phrase()})" in " ".join(text.split())
    assert looks.chosen[0].sentence() in found.notes


def test_a_choice_before_any_verdict_could_be_had_is_none() -> None:
    assert not Looks(chosen=(Chosen(what="margin", was="1", now="2", pairs=6),)).before(2)
    assert Looks(chosen=(Chosen(what="margin", was="1", now="2", pairs=6),)).before(3)


def test_rates_are_told_in_whole_percent() -> None:
    assert [percent(rate) for rate in (0.3449, 0.3451, 0.05, 1.0)] == ["34 %", "35 %", "5 %", "100 %"]


@pytest.mark.parametrize(
    ("num_contrasts", "num_pairs", "studies"),
    [
        (1, 12, 10_000),
        (99, 40, 10_000),
        (99, 50, 8_000),
        (49, 100, 8_000),
        (99, 100, 4_000),
        (99, 200, 2_000),
        (999, 20, 2_000),
        (999, 40, 2_000),
    ],
)
def test_forty_million_numbers_are_drawn_at_most_in_2000_to_10000_studies(num_contrasts, num_pairs, studies) -> None:
    assert num_studies(num_contrasts=num_contrasts, num_pairs=num_pairs) == studies


def test_looks_come_in_rising_order_however_they_were_kept() -> None:
    assert Looks(own=(8, 3)).before(30).own == (3, 8)
    assert Looks(own=(20, 3, 11, 8, 16)).before(30).own == (3, 8, 11, 16, 20)
