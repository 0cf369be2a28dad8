"""What no study can be is refused when it is built, in a sentence and at once."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from paribus.study import Claim, Study, StudyError

FACTORS: dict[str, Any] = {"model.residual_scale": (0.1, 1.0), "augment.crop": (0, 4)}


def build(**fields: Any) -> Study:
    return Study(**{"name": "refused", "factors": {"model.depth": (16, 40)}, **fields})


def claimed(**fields: Any) -> Study:
    return build(claim=Claim(**{"text": "deeper is better", "source": "section 1", **fields}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arms": {"model.depth": (16,)}}, "the claim concerns the baseline alone (depth=16)"),
        ({"arms": {"model.depth": (28,)}}, "the claim's level 28 of 'model.depth' is none of the study's: 16, 40"),
        ({"arms": {"model.depth": (40, 28)}}, "level 28 of 'model.depth' is none"),
        ({"arms": {"model.depth": ("40",)}}, "level '40' of 'model.depth' is none"),
        ({"arms": {"model.depth": (True,)}}, "level True of 'model.depth' is none"),
        ({"arms": {"model.depth": "fast"}}, "the claim has 'model.depth' in 'fast': give a tuple"),
        ({"arms": {"model.depth": 40}}, "the claim has 'model.depth' in 40: give a tuple"),
        ({"arms": {"model.depth": ()}}, "the claim has 'model.depth' in (): give a tuple"),
        ({"arms": "model.depth"}, "the claim's arms = 'model.depth': map paths to levels"),
        ({"arms": {"model.dept": (40,)}}, "the claim is about 'model.dept', which is no factor"),
        ({"text": 3}, "the claim's text = 3: give it as text"),
        ({"text": " "}, "the claim's text is empty"),
        ({"source": None}, "the claim's source = None: give it as text"),
        ({"setting": {"a": 1}}, "the claim's setting = {'a': 1}: give it as text"),
        ({"metric": ["top1"]}, "the claim's metric ['top1']: allowed are"),
        ({"direction": "good"}, "the claim's direction 'good': allowed are"),
        ({"direction": "better", "effect": 0}, "the claim's effect = 0: the size that the source claims"),
        ({"direction": "better", "effect": -0.3}, "the claim's effect = -0.3"),
        ({"direction": "better", "effect": "0.3"}, "the claim's effect = '0.3'"),
        ({"direction": "better", "effect": True}, "the claim's effect = True"),
        ({"direction": "better", "effect": float("nan")}, "the claim's effect = nan"),
        ({"direction": "no harm", "effect": 0.3}, "goes with the direction 'better' or 'worse', not with 'no harm'"),
    ],
)
def test_a_claim_that_no_verdict_can_answer_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError) as error:
        claimed(**fields)
    assert said in str(error.value)


def test_a_word_within_a_longer_word_is_no_level() -> None:
    factors: dict[str, Any] = {"schedule.kind": ("cosine", "step")}
    with pytest.raises(StudyError, match="give a tuple of the study's levels"):
        build(factors=factors, claim=Claim("c", source="s", arms={"schedule.kind": "costep"}))  # type: ignore[dict-item]


def test_claims_with_an_effect_or_about_some_arms_stand() -> None:
    assert claimed(direction="better", effect=0.3, arms={"model.depth": (40,)}).claim is not None
    assert claimed(arms={"model.depth": [16, 40]}).claim is not None
    assert claimed(direction="worse", effect=np.float64(2)).claim is not None
    assert Claim("c", source="s").effect is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"factors": {"model.depth"}}, "factors = {'model.depth'}: map paths to levels"),
        ({"factors": {"model.depth": {16, 40}}}, "factor 'model.depth' has levels {16, 40}: give a tuple"),
        ({"factors": {"model.depth": (n for n in (16, 40))}}, "give a tuple of them"),
        ({"factors": {"model.depth": np.array([16, 40])}}, "give a tuple of them"),
        (
            {"factors": {"model.depth": (np.int64(16), 40)}},
            "has the level np.int64(16) of the type int64: use plain numbers",
        ),
        ({"factors": {"model.depth": (16, b"40")}}, "of the type bytes"),
        ({"factors": {"model.depth": (16, (3, [4]))}}, "of the type tuple: use plain numbers"),
        ({"fixed": ["model.depth"]}, "fixed = ['model.depth']: map paths to values"),
        ({"baseline": "model.depth"}, "baseline = 'model.depth': map paths to levels"),
        ({"baseline": {"model.depth": [16]}}, "'model.depth' has the level [16] of the type list"),
        ({"design": "explicit", "factors": {}, "arms_listed": "ab"}, "arms_listed = 'ab': give a tuple of mappings"),
        ({"design": "explicit", "factors": {}, "arms_listed": ["a", "b"]}, "arms_listed has 'a': an arm maps"),
        ({"design": "explicit", "factors": {}, "arms_listed": ({"model.depth": [1]},)}, "of the type list"),
        ({"margin": "1"}, "margin = '1'"),
        ({"margin": True}, "margin = True"),
        ({"replicates": 3.0}, "replicates = 3.0: a whole number of at least 1"),
        ({"replicates": True}, "replicates = True"),
        ({"replicates": 0}, "from 3 on there are verdicts, and `plan` says what so many can tell"),
        ({"seed": "1"}, "seed = '1': a whole number"),
        ({"alpha": "0.05"}, "alpha = '0.05'"),
        ({"metric": ["top1"]}, "metric ['top1']: allowed are"),
        ({"design": {"a"}}, "design {'a'}: allowed are"),
        ({"question": 3}, "question = 3: give one line of text"),
        ({"base": 3}, "base = 3: give a preset's name"),
        ({"name": 3}, "name 3: use letters"),
        ({"name": "n" * 300}, "has 300 bytes: at most 120"),
        ({"name": "ä" * 150}, "has 300 bytes: at most 120"),
        ({"claim": "no harm"}, "claim = 'no harm': give Claim(text, source=...)"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_with_a_sentence(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError) as error:
        build(**fields)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"replicates": 10**9}, "2 arms x 1,000,000,000 replicates: at most 100,000 trials"),
        ({"factors": {"model.depth": tuple(range(10**6))}}, "1,000,000 arms: at most 1,000"),
        ({"factors": {f"p{i}": (1, 2, 3, 4) for i in range(20)}}, "1,099,511,627,776 arms: at most 1,000"),
        ({"factors": {}, "design": "explicit", "arms_listed": ({"model.depth": 16},) * 10**6}, "1,000,000 arms"),
        ({"factors": {"model.depth": set(range(10**6))}}, "give a tuple of them"),
        ({"factors": {"model.depth": range(10**9)}}, "give a tuple of them"),
        ({"name": "?" * 10**7}, "use letters"),
    ],
)
def test_what_would_take_hours_is_refused_at_once_and_briefly(fields: dict[str, Any], said: str) -> None:
    begun = time.process_time()
    with pytest.raises(StudyError) as error:
        build(**fields)
    assert time.process_time() - begun < 1.0
    assert said in str(error.value)
    assert len(str(error.value)) < 300
