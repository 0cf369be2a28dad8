"""Arms that are matched with their baseline: what is asked for in words, and what a matched study is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paribus.recipe import Seeds, trial_id
from paribus.study import Study, StudyError
from paribus.study.designs.matching import Matched, match_sentence, violations
from paribus.study.document import read_study, write_study
from paribus.study.plan import trials
from paribus.study.settings import settings_of
from paribus.study.words import Arm

MADE: dict[str, Any] = {
    "name": "deep",
    "factors": {"model.depth": (16, 22, 40)},
    "match": "params",
    "free": "model.width",
    "margin": 1.0,
}


def matched_by(study: Study, **widths: float) -> Study:
    found = [
        Matched(arm=Arm.of({"model.depth": int(depth[1:])}), value=width, figure=1_010, target=1_000)
        for depth, width in widths.items()
    ]
    return replace(study, matched=tuple(found))


def study_of(**changes: Any) -> Study:
    return Study(**{**MADE, **changes})


REFUSED = {
    "no such figure": ({"match": "parameters"}, "'parameters'.*allowed are 'params', 'flops'"),
    "no text": ({"match": 3}, "match = 3"),
    "time": ({"match": "seconds"}, "time is measured.*differs from run to run.*'flops' or 'params'.*explicit"),
    "memory": ({"match": "peak_memory"}, "memory is measured"),
    "nothing free": ({"free": ""}, "free = '': name the number of the recipe"),
    "nothing to match": ({"match": ""}, "match = '' with a free number of the recipe: allowed are"),
    "a factor": ({"free": "model.depth"}, "free = 'model.depth' is a factor too"),
    "text": ({"free": "model.norm"}, "'model.norm' is batch in the arm 'depth=16': it takes a number above 0"),
    "a switch": ({"free": "augment.flip"}, "'augment.flip' is no in the arm"),
    "nothing": ({"free": "data.size"}, "'data.size' is none in the arm 'depth=16'.*fixed="),
    "zero": ({"free": "model.dropout"}, "'model.dropout' is 0 in the arm"),
    "no field": ({"free": "model.widht"}, "'model.widht' is no field of the recipe.*model.width"),
    "a part": ({"free": "model"}, "'model' is a part of the recipe"),
    "no share": ({"match_tolerance": 0.0}, "match_tolerance = 0.0: the share"),
    "not a share": ({"match_tolerance": True}, "match_tolerance = True"),
    "more than all": ({"match_tolerance": 2}, "above 0 and below 1"),
    "a tolerance of nothing": ({"match": "", "free": "", "match_tolerance": 0.1}, "goes with match and free"),
    "one arm": ({"factors": {"model.depth": (16,)}}, "no arm beside the baseline"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_matched_is_refused_where_it_is_written(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        study_of(**changes)


def test_an_arm_of_another_family_without_the_free_field_is_named() -> None:
    factors = {"model": ("WRN-16-1", "Inception-v3-digits")}
    with pytest.raises(StudyError, match=r"free = 'model.residual_scale' is no field .* arm 'model=Inception-v3-dig"):
        study_of(factors=factors, free="model.residual_scale", baseline={"model": "WRN-16-1"})


def test_no_trial_is_told_before_the_arms_are_matched_and_then_each_has_its_number_and_id() -> None:
    study = study_of(replicates=1)
    with pytest.raises(StudyError, match="are to be matched on params and have not been"):
        trials(study, lambda recipe: "d")
    found = matched_by(study, d22=0.8, d40=0.55)
    drawn = trials(found, lambda recipe: "d")
    assert [trial.recipe.model.width for trial in drawn] == [1.0, 0.8, 0.55]
    plain = Study(name="deep", factors={"model.depth": (16, 22, 40)})
    explicit = plain.base_recipe.replace({"model.depth": 40, "model.width": 0.55})
    assert [trial.id for trial in drawn if trial.recipe == explicit] == [trial_id(explicit, Seeds.draw(0, 1), "d")]
    assert [trial.arm for trial in drawn] == list(plain.arms)
    assert "model.width" not in found.caveats()


def test_what_is_fixed_is_the_baselines_and_the_other_arms_change_it() -> None:
    found = matched_by(study_of(fixed={"model.width": 2.0}), d22=1.6, d40=1.1)
    assert [found.recipe_of(arm).model.width for arm in found.arms] == [2.0, 1.6, 1.1]


def test_a_matched_study_is_read_from_the_ledger_with_the_same_trials_and_is_matched_anew_at_other_settings() -> None:
    found = matched_by(study_of(replicates=2, match_tolerance=0.1), d22=0.8, d40=0.55)
    read = read_study(write_study(found))
    assert read.matched == found.matched
    assert (read.match, read.free, read.match_tolerance) == ("params", "model.width", 0.1)
    assert [t.id for t in trials(read, lambda r: "d")] == [t.id for t in trials(found, lambda r: "d")]
    assert replace(found, replicates=7).matched == found.matched
    assert not found.vary(fixed={"model.norm": "none"}).matched
    assert not replace(found, factors={"model.depth": (16, 28)}).matched
    assert settings_of(found) == settings_of(study_of())


def test_a_study_that_matches_nothing_is_written_as_it_was_before() -> None:
    document = write_study(Study(name="deep", factors={"model.depth": (16, 22, 40)}))
    assert "match" not in document
    assert not read_study(document).matched


def test_a_miss_beyond_the_tolerance_is_told_by_what_was_measured_where_it_was() -> None:
    found = matched_by(study_of(), d22=0.8, d40=0.55)
    assert match_sentence(found, found.matched[0]) == "k = 0.8 for 1,010 parameters, +1 % of its baseline's"
    assert violations(found, {}) == []
    base, _, deep = found.arms
    (line,) = violations(found, {deep: 1_050.0, base: 1_000.0})
    assert line == (
        "depth=40 is not matched: it has 1,050 parameters where depth=16 has 1,000 (+5 %, the tolerance is 2 %), and "
        "no model.width comes nearer than 0.55"
    )
    assert len(violations(replace(found, match_tolerance=0.005), {})) == 2
