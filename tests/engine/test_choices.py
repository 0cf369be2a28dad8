"""What a person chose otherwise after a look: margin, metric, arms, claim, results trained again; without a ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trial_records import digest, held

from paribus.engine.choices import terms_of
from paribus.engine.looks import (
    History,
    as_judged,
    extended,
    first_fresh,
    fresh_note,
    is_look,
    look_note,
    looks_before,
)
from paribus.study import Claim, Float, Study, Tuning
from paribus.study.searches.tuning import tuned_study
from paribus.tracking.studies.replication import Choice, Look, Replication, read_replication
from paribus.tracking.trials.record import TrialRecord

STUDY = Study(name="looks", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=8, margin=4.0)
SIX = replace(STUDY, replicates=6)
RUN = History(replication=Replication(asked={0: 6}), written=SIX)
CLAIM = Claim("wider is better", "WRN", direction="better")
CHANGES = {
    "margin": (replace(SIX, margin=8.0), "4 points", "8 points"),
    "metric": (replace(SIX, metric="top5"), "top1", "top5"),
    "alpha": (replace(SIX, alpha=0.1), "5 %", "10 %"),
    "arms": (replace(SIX, factors={"model.width": (0.25, 1.0)}), "k=0.5 and k=1 against k=0.25", "k=1 against k=0.25"),
    "claim": (replace(SIX, claim=CLAIM), "not made", "better on top1"),
}


@pytest.fixture(scope="module")
def six() -> list[TrialRecord]:
    return held(STUDY, lambda trial: trial.replicate <= 6 and "finished")


@pytest.mark.parametrize("what", CHANGES)
def test_a_choice_after_a_look_is_told_of_with_what_it_was_and_is(what: str, six: list[TrialRecord]) -> None:
    """By the report alone, and after a run, which writes it down; `plan` says it before."""
    study, was, now = CHANGES[what]
    assert is_look(RUN, study)
    assert what in look_note(RUN, study, six, digest)
    judged, run = as_judged(RUN, study, six, digest), extended(RUN, study, six, digest)
    assert judged.choices == run.choices
    assert run.looks == (), "nothing was added, so that the verdict is on the same pairs"
    again = History(replication=read_replication(run.as_tag()), written=study)
    assert not is_look(again, study)
    assert look_note(again, study, six, digest) == ""
    for kept in (judged, as_judged(again, study, six, digest)):
        (chosen,) = looks_before(kept, study).chosen
        assert (chosen.what, chosen.was, chosen.now, chosen.pairs) == (what, was, now, 6)


@pytest.mark.parametrize("what", CHANGES)
def test_a_choice_before_any_look_or_one_that_is_taken_back_is_none(what: str, six: list[TrialRecord]) -> None:
    study, *_ = CHANGES[what]
    two = [record for record in six if record.replicate <= 2]
    assert extended(RUN, study, two, digest).choices == ()
    assert look_note(RUN, study, two, digest) == ""
    there = History(replication=extended(RUN, study, six, digest), written=study)
    back = extended(there, SIX, six, digest)
    assert looks_before(back, SIX).chosen == (), "what held before anybody had looked was not chosen after it"
    assert [c.what for c in looks_before(as_judged(there, study, six, digest), study).chosen] == [what]


def test_what_says_the_same_in_other_words_is_no_choice() -> None:
    for other in (
        replace(SIX, question="Other words?"),
        replace(SIX, margin=4),
        replace(SIX, factors={"model.width": (1.0, 0.5, 0.25)}),
        replace(SIX, factors={**SIX.factors, "model.depth": (SIX.base_recipe.model.depth,)}),
    ):
        assert not is_look(RUN, other)
    claimed = replace(SIX, claim=CLAIM)
    reworded = replace(claimed, claim=replace(CLAIM, text="Wider nets are better.", setting="CIFAR"))
    assert not is_look(History(replication=Replication(asked={0: 6}), written=claimed), reworded)


def test_at_other_settings_it_is_another_study_and_of_an_old_ledger_nothing_is_said(six: list[TrialRecord]) -> None:
    other = SIX.vary(fixed={"model.depth": 16}, margin=8.0)
    assert not is_look(RUN, other)
    unknown = History(replication=Replication(asked={0: 6}))
    assert not is_look(unknown, CHANGES["margin"][0])
    assert as_judged(unknown, CHANGES["margin"][0], six, digest).choices == ()
    tag = '{"asked": [[0, 6]], "looks": [{"seed": 0, "pairs": 3, "last": 3, "when_ms": 5}]}'
    assert read_replication(tag) == Replication(asked={0: 6}, looks=(Look(seed=0, pairs=3, last=3, when_ms=5),))


@pytest.mark.parametrize(
    "choices", ["3", "[3]", '[{"what": "margin"}]', '[{"what": "margin", "key": "1", "no": 2}]', '"ab"']
)
def test_damaged_choices_are_no_traceback(choices: str) -> None:
    assert read_replication(f'{{"asked": [[0, 6]], "looks": [], "choices": {choices}}}') == Replication()


def test_of_several_changes_the_first_value_stays_and_the_last_look(six: list[TrialRecord]) -> None:
    eight = held(STUDY, lambda trial: "finished")
    once = extended(RUN, replace(SIX, margin=8.0), six, digest)
    wide = History(replication=once.extended(0, 8), written=replace(STUDY, margin=8.0))
    twice = extended(wide, replace(STUDY, margin=9.0), eight, digest)
    assert twice.choices == (Choice(what="margin", key="4.0", was="4 points", seed=0, pairs=8, last=8),)
    (chosen,) = looks_before(twice, replace(STUDY, margin=9.0)).chosen
    assert (chosen.was, chosen.now, chosen.pairs) == ("4 points", "9 points", 8)


def test_a_choice_after_looking_at_one_seed_was_made_before_another_was_run(six: list[TrialRecord]) -> None:
    other = replace(SIX, seed=7, margin=8.0)
    found = extended(RUN, other, six, digest)
    assert looks_before(found, other).chosen == ()
    assert looks_before(found, other).elsewhere == ((6,),)
    assert [choice.what for choice in looks_before(found, replace(other, seed=0)).chosen] == ["margin"]


def test_replicates_added_since_a_choice_are_fresh_and_the_others_are_not(six: list[TrialRecord]) -> None:
    wide = replace(SIX, margin=8.0)
    kept = extended(RUN, wide, six, digest)
    assert first_fresh(kept, wide) == 1
    assert [choice.what for choice in looks_before(kept, wide, fresh=True).chosen] == ["margin"]
    assert fresh_note(kept, wide) == (
        "fresh: no replicate was added since the last choice, so that this judgement is not fresh; add some"
    )
    more = replace(wide, replicates=8)
    raised = extended(History(replication=kept, written=wide), more, six, digest)
    assert not looks_before(raised, more, fresh=True)
    assert first_fresh(raised, more) == 7
    assert fresh_note(raised, more) == "fresh: judged on replicates 7 to 8 alone, added since the look at 6"
    assert looks_before(raised, more).phrase() == "after a look at 6; margin chosen after a look at 6"
    eight = replace(STUDY, margin=8.0)
    told = look_note(RUN, eight, six, digest)
    assert is_look(RUN, STUDY), "more replicates, and nothing else"
    assert told.startswith("this adds replicates or a seed when verdicts could be had already")
    assert "; --fresh judges on what is added, alone, at 5 %; this" in told
    assert "; this is a choice after a look: the margin was 4 points" in told


def test_results_that_are_trained_again_after_a_look_come_after_it_once(six: list[TrialRecord]) -> None:
    again = extended(RUN, SIX, six, digest, frozenset({"old"}))
    (chosen,) = looks_before(again, SIX).chosen
    assert (chosen.what, chosen.pairs) == ("trained", 6)
    assert "trained again by other code" in look_note(RUN, SIX, six, digest, frozenset({"old"}))
    assert extended(RUN, SIX, six[:6], digest, frozenset({"old"})).choices == (), "two pairs give no verdict"
    goes_on = extended(History(replication=again, written=SIX), SIX, six, digest, frozenset({"old"}))
    assert goes_on == again, "a run that was killed and goes on adds nothing"
    later = History(replication=goes_on.extended(0, 8), written=STUDY)
    eight = held(STUDY, lambda trial: "finished")
    assert extended(later, STUDY, eight, digest, frozenset({"old"})).choices == again.choices
    third = extended(later, STUDY, eight, digest, frozenset({"newer"}))
    assert [(choice.key, choice.pairs, choice.last) for choice in third.choices] == [("newer old", 8, 8)]
    other_seed = extended(RUN, replace(SIX, seed=7), six, digest, frozenset({"old"}))
    assert other_seed.choices == (), "these are other trials"


def test_arms_in_words_name_four_and_count_the_rest() -> None:
    many = replace(SIX, factors={"model.width": (0.25, 0.5, 1.0, 2.0, 3.0, 4.0)}, baseline={"model.width": 1.0})
    assert terms_of(many)["arms"].words == "k=0.25, k=0.5, k=2 and 2 more against k=1"
    four = replace(many, factors={"model.width": (0.25, 0.5, 1.0, 2.0, 3.0)})
    assert terms_of(four)["arms"].words == "k=0.25, k=0.5, k=2 and k=3 against k=1"
    strata = replace(four, factors={"model.width": (0.5, 1.0), "model.depth": (10, 16)})
    assert terms_of(strata)["arms"].words == "k=0.5 · depth=10 and k=0.5 · depth=16 against 2 baselines"
    alone = replace(STUDY, factors={"model.width": (0.25,)})
    assert terms_of(alone)["arms"].words == "none against k=0.25"


def test_a_claim_in_words_has_its_size_and_its_arms() -> None:
    sized = replace(CLAIM, effect=0.5, arms={"model.width": (0.25, 0.5)})
    assert terms_of(replace(SIX, claim=sized))["claim"].words == "better by 0.5 on top1 where model.width = 0.25 or 0.5"


def test_a_baseline_that_nothing_is_compared_with_is_no_choice_of_arms() -> None:
    listed = [{"model.width": k, "model.depth": 10} for k in (0.25, 0.5)]
    plain = replace(SIX, factors={}, design="explicit", arms_listed=listed, baseline={"model.width": 0.25})
    more = replace(plain, arms_listed=[*listed, {"model.width": 0.25, "model.depth": 16}])
    assert len(more.baselines) == 2
    assert not is_look(History(replication=Replication(asked={0: 6}), written=plain), more)


def test_a_choice_of_a_later_release_is_kept_and_not_told_of() -> None:
    later = Choice(what="stopping rule", key="1", was="none", seed=0, pairs=6, last=6)
    kept = Replication(asked={0: 6}, choices=(later,))
    assert looks_before(kept, SIX).chosen == ()
    assert read_replication(kept.as_tag()) == kept


def test_a_tuning_of_more_trials_after_a_look_is_told_with_both_numbers_and_what_came_of_it() -> None:
    fair = Study(
        name="fair",
        base="synthetic",
        factors={"model.width": (0.25, 0.5)},
        nuisance={"optimizer.lr": Float(0.01, 1.0, log=True)},
        tuning=Tuning(trials=12),
        replicates=6,
        margin=4.0,
    )
    first, second = fair.arms
    was = tuned_study(fair, {first: {"optimizer.lr": 0.1}, second: {"optimizer.lr": 0.2}})
    raised = replace(fair, tuning=Tuning(trials=40))
    now = tuned_study(raised, {first: {"optimizer.lr": 0.1}, second: {"optimizer.lr": 0.5}})
    run = History(replication=Replication(asked={0: 6}), written=was)
    seen = held(was, lambda trial: "finished")
    assert is_look(run, now)
    (chosen,) = looks_before(as_judged(run, now, seen, digest), now).chosen
    assert chosen.what == "tuning"
    assert chosen.was == "by Tuning(trials=12) of each arm (k=0.25 at lr=0.1, k=0.5 at lr=0.2)"
    assert chosen.now == "by Tuning(trials=40) of each arm (k=0.25 at lr=0.1, k=0.5 at lr=0.5)"
    assert "the tuning was by Tuning(trials=12) of each arm" in look_note(run, now, seen, digest)
    same = tuned_study(raised, was.tuned)
    assert not is_look(run, same), "the same trials give the same verdicts"
    third = replace(fair, factors={"model.width": (0.25, 0.5, 1.0)})
    more = tuned_study(third, {**was.tuned, third.arms[2]: {"optimizer.lr": 0.3}})
    (other,) = looks_before(as_judged(run, more, seen, digest), more).chosen
    assert other.what == "arms", "a new arm has a tuning of its own, and that is no other choice"
