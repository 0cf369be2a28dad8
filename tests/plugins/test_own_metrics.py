"""A metric of one's own: planned, judged and shown like ours, part of a trial's identity, readable without its file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from paribus.analysis import StudyAnalysis, analyse
from paribus.engine.code_digest import trial_code
from paribus.metrics.examples import Examples
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, RecipeError, Seeds, trial_id
from paribus.report.doubts.mixtures import mixtures
from paribus.report.drawing.tables import as_markdown, as_text
from paribus.study import Claim, Study, StudyError, TrialResult
from paribus.study.document import RecordedStudy, read_study, write_study
from paribus.study.own_metrics import load_metric, own_values

EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
MACRO_F1 = "my_parts:macro_f1"
METRIC = """
from paribus.metrics.metric import Metric

WORST = {worst}


def shortfall() -> Metric:
    return Metric(name="x", short="shortfall", label="shortfall", unit="shares", sd=0.01, sign=-1, needs=("correct",),
                  digits=3, per_example=lambda examples: WORST - examples.column("correct").astype(float))
"""


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "mine.py").write_text(METRIC.format(worst=1.0))
    stand_beside(tmp_path, EXAMPLES)
    yield
    stand_beside()


def _study(metric: str = "mine:shortfall", margin: float = 0.02, **more: Any) -> Study:
    return Study(
        name="f1",
        factors={"model.width": (0.25, 0.5)},
        baseline={"model.width": 0.25},
        metric=metric,
        margin=margin,
        **more,
    )


def _results(study: Study) -> list[TrialResult]:
    draw = np.random.default_rng(3)
    return [
        TrialResult(
            trial_id=f"{arm.name}{replicate}",
            arm=arm,
            replicate=replicate,
            outcome="finished",
            metrics={study.metric: 0.4 - 0.2 * at + draw.normal(0, 0.01), "top1": 60.0 + draw.normal()},
            weights=f"{arm.name}{replicate}",
        )
        for at, arm in enumerate(study.arms)
        for replicate in range(1, 6)
    ]


def _shown(found: StudyAnalysis) -> str:
    return as_markdown(found, secondary=True) + as_text(found)


def test_the_example_is_sklearns_macro_f1() -> None:
    draw = np.random.default_rng(0)
    label, predicted = draw.integers(0, 7, 300), draw.integers(0, 5, 300)
    examples = Examples(label=label.astype(np.int32), predicted=predicted.astype(np.int32))
    expected = 100 * f1_score(label, predicted, average="macro")
    assert own_values((MACRO_F1,), examples) == {MACRO_F1: pytest.approx(expected, abs=1e-12)}


def test_a_study_is_judged_on_its_own_metric_with_its_own_sign_and_unit() -> None:
    study = _study(claim=Claim("wider falls less short", "nowhere", metric="mine:shortfall", direction="better"))
    found = analyse(study, _results(study), num_eval=100)
    assert [(contrast.verdict, contrast.metric.name) for contrast in found.contrasts] == [("better", "mine:shortfall")]
    assert found.contrasts[0].mean == pytest.approx(-0.2, abs=0.02)
    assert found.claim is not None
    assert found.claim.outcome == "reproduced"
    assert "shares shortfall" in _shown(found)
    with pytest.raises(StudyError, match=r"state the smallest effect of interest, such as margin=0\.01"):
        Study(name="a", factors={"model.width": (0.25, 0.5)}, metric="mine:shortfall")


def test_it_may_stand_beside_the_primary_one() -> None:
    study = _study("top1", 1.0, fixed={"metrics": (MACRO_F1, "mine:shortfall")})
    results = [
        TrialResult(**{**vars(result), "metrics": {"top1": 60.0 + result.replicate, MACRO_F1: float(result.replicate)}})
        for result in _results(study)
    ]
    found = analyse(study, results, num_eval=100)
    assert {contrast.metric.name for contrast in found.secondary} == {MACRO_F1}
    assert list(study.metrics)[-2:] == [MACRO_F1, "mine:shortfall"]


def test_verdicts_can_be_had_where_its_file_is_not(tmp_path: Path) -> None:
    study = _study()
    expected = analyse(study, _results(study), num_eval=100)
    document = write_study(study)
    stand_beside()
    (tmp_path / "mine.py").unlink()
    read = read_study(document)
    assert "mine" not in sys.modules
    assert (read.primary.short, read.primary.unit, read.primary.sign) == ("shortfall", "shares", -1)
    assert _shown(analyse(read, _results(read), num_eval=100)) == _shown(expected)
    assert isinstance(read, RecordedStudy)
    assert mixtures(read, ()) == ()
    with pytest.raises(ValueError, match="the file of 'mine:shortfall' is not here"):
        read.primary.of(_three())
    with pytest.raises(RecipeError, match="there is no module 'mine' beside the study"):
        _study()


def test_a_document_whose_metrics_are_none_is_refused_in_a_sentence() -> None:
    document = json.loads(write_study(_study()))
    for wrong in ({"mine:shortfall": {"name": "x"}}, {"mine:shortfall": None}, [1], "x"):
        with pytest.raises(StudyError, match="this is no study document"):
            read_study(json.dumps({**document, "own_metrics": wrong}))


def _three() -> Examples:
    return Examples(correct=np.array([True, False, True]))


def test_it_is_part_of_a_trials_id_and_code_and_a_comment_is_not(tmp_path: Path) -> None:
    bare, recipe = Recipe(), _study().base_recipe
    assert recipe.metrics == ("mine:shortfall",)
    seeds = Seeds.draw(0, 1)
    assert trial_id(bare, seeds, "d") != trial_id(recipe, seeds, "d")
    code = trial_code(recipe)
    assert code != trial_code(bare)
    (tmp_path / "mine.py").write_text("# a comment\n" + METRIC.format(worst=1.0))
    assert trial_code(recipe) == code
    (tmp_path / "mine.py").write_text(METRIC.format(worst=2.0))
    assert trial_code(recipe) != code
    assert recipe.replace({"metrics": "my_parts:macro_f1, mine:shortfall"}).metrics == ("mine:shortfall", MACRO_F1)
    assert Recipe.read(recipe.model_dump_json()) == recipe


HEAD = "from paribus.metrics.metric import Metric\nbase = dict(name='', label='l', unit='u', sd=1.0, needs=())\n"
REFUSED = {
    "no function": ("", "has no 'one'"),
    "a metric": ("one = Metric(**base, short='s', overall=len)", "is a Metric: name a"),
    "a number": ("def one(): return 3", "makes a int: return a Metric"),
    "arguments": ("def one(beta): return 3", "takes none: write one for each metric, such as def f2"),
    "lacks": ("def one(): return Metric(name='', overall=len)", "unit, sd (the spread between replicates to plan"),
    "raises": ("def one(): return Metric(**base, short='s')", "has no value: give it per_example"),
    "every epoch": ("def one(): return Metric(**base, short='s', overall=len, every_epoch=True)", "leave it out"),
    "a head twice": ("def one(): return Metric(**base, short='top-1', overall=len)", "both head their columns 'top-1'"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_no_metric_is_refused_where_it_is_named(fault: str, tmp_path: Path) -> None:
    text, told = REFUSED[fault]
    module = f"refused_{fault.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(HEAD + text)
    with pytest.raises((StudyError, RecipeError)) as refusal:
        _study(f"{module}:one")
    assert told in str(refusal.value)


@pytest.mark.parametrize("name", ["ece", "a:b c", ":x", "a:"])
def test_what_names_no_function_is_refused_in_a_recipe(name: str) -> None:
    with pytest.raises(RecipeError, match=r"metrics.* has '.*': name functions of your own as module:Name"):
        Recipe().replace({"metrics": (name,)})


def test_a_value_that_is_no_number_fails_the_trial_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "nan.py").write_text(
        HEAD + "def one(): return Metric(**base, short='s', overall=lambda e: float('nan'))"
    )
    assert load_metric("nan:one").name == "nan:one"
    with pytest.raises(ValueError, match="'nan:one' is nan of this trial's 3 examples: it should be a number"):
        own_values(("nan:one",), _three())
