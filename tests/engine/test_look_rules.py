"""Which look the records make of a raise, and what is said of it: to the pair, without a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from trial_records import digest, held

from paribus.data import DataError
from paribus.engine.looks import (
    History,
    extended,
    first_fresh,
    fresh_note,
    held_note,
    history_of,
    is_look,
    looks_before,
)
from paribus.recipe import Recipe
from paribus.study import Study
from paribus.study.plan import Trial
from paribus.study.settings import Settings
from paribus.tracking.errors import LedgerUnreachable
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import now_ms
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.replication import Look, Replication
from paribus.tracking.trials.record import TrialRecord

STUDY = Study(name="looks", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=8, margin=4.0)
BASELINE, NEAR, FAR = STUDY.arms


def raised(records: Sequence[TrialRecord], asked: int = 6, study: Study = STUDY) -> tuple[tuple[int, int, int], ...]:
    """(seed, pairs, last) of the looks that a raise from `asked` to the study's replicates makes."""
    found = extended(History(replication=Replication(asked={0: asked})), study, records, digest)
    return tuple((look.seed, look.pairs, look.last) for look in found.looks)


def test_what_was_never_asked_for_is_asked_for_without_a_look() -> None:
    nothing = History(replication=Replication())
    assert extended(nothing, STUDY, [], digest) == Replication(asked={0: 8})
    assert history_of(None, None) == nothing, "a study without a run has no history, and no ledger is asked"  # type: ignore[arg-type]


def test_where_nothing_was_written_down_the_records_tell_what_was_asked_for() -> None:
    nothing = History(replication=Replication())
    six = held(STUDY, lambda trial: trial.replicate <= 6 and "finished")
    found = extended(nothing, STUDY, six, digest)
    assert [(look.pairs, look.last) for look in found.looks] == [(6, 6)]
    assert found.asked == {0: 8}
    assert extended(nothing, replace(STUDY, replicates=6), six, digest) == Replication(asked={0: 6})


def test_what_is_not_raised_is_no_look_and_keeps_the_highest_number() -> None:
    records = held(STUDY, lambda trial: "finished")
    for replicates in (6, 8):
        study = replace(STUDY, replicates=replicates)
        found = extended(History(replication=Replication(asked={0: 8})), study, records, digest)
        assert found == Replication(asked={0: 8})


@pytest.mark.parametrize("pairs", [0, 1, 2, 3, 4, 6])
def test_a_raise_is_a_look_from_three_pairs_on(pairs: int) -> None:
    records = held(STUDY, lambda trial: trial.replicate <= pairs and "finished")
    assert raised(records) == (((0, pairs, pairs),) if pairs >= 3 else ())


def test_a_look_has_the_pairs_of_the_contrast_that_has_most_and_the_last_replicate_of_any_trial() -> None:
    upto = {BASELINE: 5, NEAR: 3, FAR: 4}
    assert raised(held(STUDY, lambda trial: trial.replicate <= upto[trial.arm] and "finished")) == ((0, 4, 5),)
    without = {BASELINE: 2, NEAR: 6, FAR: 6}
    assert raised(held(STUDY, lambda trial: trial.replicate <= without[trial.arm] and "finished")) == ()


@pytest.mark.parametrize("outcome", ["finished", "diverged", "dead", "stuck", "failed", "stopped", "running"])
def test_a_pair_is_two_trials_that_came_to_an_end_of_their_own(outcome: str) -> None:
    def told(trial: Trial) -> Any:
        first = trial.replicate <= 3 and "finished"
        return outcome if trial.replicate == 4 and trial.arm == FAR else first or (trial.replicate == 4 and "finished")

    ends = outcome in ("finished", "diverged", "dead", "stuck")
    only_far = [record for record in held(STUDY, told) if record.arm != NEAR]
    assert raised(only_far) == ((0, 4 if ends else 3, 4),)


def test_a_study_of_a_baseline_alone_has_no_pairs_to_look_at() -> None:
    alone = replace(STUDY, factors={"model.width": (0.25,)}, baseline={"model.width": 0.25})
    assert raised(held(alone, lambda trial: "finished"), study=alone) == ()


def test_pairs_are_of_the_same_replicate() -> None:
    assert raised(held(STUDY, lambda t: (t.replicate <= 4) == (t.arm == BASELINE) and "finished")) == ()


def test_replicates_beyond_those_asked_for_are_in_no_look() -> None:
    assert raised(held(STUDY, lambda trial: "finished"), asked=5) == ((0, 5, 5),)


def test_a_look_is_at_the_study_as_it_was_run_last() -> None:
    shorter = STUDY.vary(fixed={"model.depth": 16})
    records = held(shorter, lambda trial: trial.replicate <= 6 and "finished")
    assert raised(records) == ()
    found = extended(History(replication=Replication(asked={0: 6}), written=shorter), STUDY, records, digest)
    assert [look.pairs for look in found.looks] == [6]


def test_each_seed_that_was_asked_for_is_looked_at_with_its_own_replicates_and_at_the_time() -> None:
    records = [
        *held(STUDY, lambda trial: trial.replicate <= 4 and "finished"),
        *held(replace(STUDY, seed=7), lambda trial: trial.replicate <= 5 and "finished"),
        *held(replace(STUDY, seed=8), lambda trial: trial.replicate <= 2 and "finished"),
    ]
    before = now_ms()
    found = extended(History(replication=Replication(asked={0: 4, 7: 5, 8: 5})), STUDY, records, digest)
    assert [(look.seed, look.pairs, look.last) for look in found.looks] == [(0, 4, 4), (7, 5, 5)]
    assert all(before <= look.when_ms <= now_ms() for look in found.looks)
    assert dict(found.asked) == {0: 8, 7: 5, 8: 5}


def test_an_earlier_plan_whose_data_is_gone_has_no_look() -> None:
    records = held(STUDY, lambda trial: "finished")

    def gone(recipe: Recipe) -> str:
        raise DataError("no such set")

    found = extended(History(replication=Replication(asked={0: 6})), STUDY, records, gone)
    assert found == Replication(asked={0: 8})


def look(pairs: int, seed: int = 0, last: int | None = None) -> Look:
    return Look(seed=seed, pairs=pairs, last=last or pairs, when_ms=0)


def test_the_looks_before_a_verdict_are_those_at_fewer_replicates_and_at_other_seeds() -> None:
    kept = Replication(asked={5: 4, 0: 8}, looks=(look(4, seed=5), look(3), look(5), look(8)))
    found = looks_before(kept, STUDY)
    assert (found.own, found.elsewhere) == ((3, 5), ((4,),))
    assert looks_before(kept, replace(STUDY, replicates=4)).own == (3,)


def test_more_replicates_in_the_ledger_than_are_judged_are_said() -> None:
    records = held(STUDY, lambda trial: trial.replicate <= 7 and "finished")
    six = replace(STUDY, replicates=6)
    assert held_note(Replication(asked={0: 8}), six, records, digest) == [
        "the ledger holds 7 replicates, and these are the first 6: a number of replicates that was chosen after "
        "looking holds no error rate (--replicates 7 judges all of them)"
    ]
    assert held_note(Replication(asked={0: 6}), six, records, digest) == [], "nobody asked for more at this seed"
    assert held_note(Replication(asked={1: 8}), six, records, digest) == []
    assert held_note(Replication(asked={0: 8}), replace(STUDY, replicates=7), records, digest) == []
    assert held_note(Replication(asked={0: 8}), STUDY, records, digest) == []
    assert held_note(Replication(asked={0: 8}), six, [], digest) == []
    running = [replace(record, outcome=None) if record.replicate == 7 else record for record in records]
    assert held_note(Replication(asked={0: 8}), six, running, digest) == [], "what has not ended is not held yet"


def test_a_fresh_judgement_names_what_it_rests_on() -> None:
    once = Replication(asked={0: 8}, looks=(look(4, last=5),))
    assert fresh_note(once, STUDY) == "fresh: judged on replicates 6 to 8 alone, added since the look at 4"
    assert first_fresh(once, STUDY) == 6
    one_more = replace(STUDY, replicates=6)
    assert fresh_note(once, one_more) == "fresh: judged on replicate 6 alone, added since the look at 4"
    twice = Replication(asked={0: 8}, looks=(look(3), look(5)))
    assert fresh_note(twice, STUDY) == (
        "fresh: judged on replicates 6 to 8 alone, added since the look at 5; there were 2 looks, and each judgement "
        "by itself holds the error rate"
    )
    assert first_fresh(twice, STUDY) == 6, "after the last look"
    assert first_fresh(twice, replace(STUDY, replicates=4)) == 4, "the look at 5 came later"


def test_where_nobody_looked_all_replicates_are_fresh() -> None:
    nobody = Replication(asked={0: 8})
    assert (
        fresh_note(nobody, STUDY)
        == "fresh: nobody has looked at these replicates before, so that all of them are judged"
    )
    assert first_fresh(nobody, STUDY) == 1


def test_a_study_file_tells_what_was_asked_for_where_no_tag_does() -> None:
    kept = Replication(asked={3: 4})
    assert History.told(kept, STUDY) == History(replication=Replication(asked={3: 4}), written=STUDY)
    assert History.told(kept, None) == History(replication=Replication(asked={3: 4}))
    seven = replace(STUDY, seed=7)
    assert History.told(Replication(), seven) == History(replication=Replication(asked={7: 8}), written=seven)
    assert History.told(Replication(), None) == History(replication=Replication())
    assert is_look(History.told(Replication(), None), STUDY), "where nothing is known the records are asked"


def test_what_is_asked_for_first_raises_nothing_and_one_replicate_of_another_seed_does() -> None:
    assert not Replication().is_raised(0, 8)
    kept = Replication(asked={0: 6})
    assert [kept.is_raised(0, replicates) for replicates in (5, 6, 7)] == [False, False, True]
    assert kept.is_raised(1, 1)


def test_a_look_at_no_more_pairs_than_an_earlier_one_of_its_seed_is_the_same_look_and_sixty_are_kept() -> None:
    kept = Replication(asked={0: 6}, looks=(look(4), look(7, seed=1)))
    found = kept.extended(0, 8, (look(3), look(4), look(6), look(7, seed=1), look(5, seed=2)))
    assert [(each.seed, each.pairs) for each in found.looks] == [(0, 4), (1, 7), (0, 6), (2, 5)]
    many = kept.extended(0, 99, tuple(look(pairs) for pairs in range(5, 70)))
    assert [each.pairs for each in many.looks] == list(range(10, 70))


def test_seeds_looked_at_before_are_those_asked_for_earlier_or_all_where_somebody_came_back() -> None:
    looks = (look(20, seed=5), look(3, seed=5), look(11, seed=5), look(4, seed=9))
    kept = Replication(asked={5: 20, 0: 8, 6: 2, 9: 4}, looks=looks)
    assert kept.other_seeds_before(5, 3) == (), "the first that was asked for, before anybody had looked at it"
    assert kept.other_seeds_before(5, 20) == ((4,),), "somebody came back to it"
    assert kept.other_seeds_before(0, 8) == ((3, 11, 20),)
    assert kept.other_seeds_before(9, 4) == ((3, 11, 20),), "nobody could look at seeds 0 and 6"
    assert kept.other_seeds_before(7, 4) == ((3, 11, 20), (4,)), "a seed that was never asked for comes after all"
    assert replace(kept, looks=(look(8, seed=5), look(3, seed=5))).other_seeds_before(0, 8) == ((3, 8),)
    returned = replace(kept, looks=(*looks, look(6)))
    assert returned.other_seeds_before(0, 8) == ((3, 11, 20), (4,))
    assert returned.other_seeds_before(0, 6) == ((3, 11, 20),), "the look at 6 is of six replicates itself"


def test_a_ledger_that_is_away_is_not_taken_for_one_that_knows_of_no_look() -> None:
    record = StudyRecord(
        name="looks",
        run_id="0" * 32,
        experiment_id="1",
        status="FINISHED",
        url="",
        question="",
        claim=None,
        caveats=(),
        design="",
        num_planned=0,
        counts={},
        driver=None,
        started_ms=0,
        updated_ms=0,
        replication=Replication(),
        settings=Settings(),
    )
    with Ledger("http://127.0.0.1:9", budget_s=0.1) as ledger, pytest.raises(LedgerUnreachable):
        history_of(ledger, record)
