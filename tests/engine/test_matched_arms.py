"""Arms matched with their baselines by counting real nets: as near as any value comes, told in plan and report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trial_records import ended

from paribus.commands.main import main
from paribus.engine.matched_arms import matched
from paribus.errors import DataError
from paribus.models import complexity
from paribus.recipe import Recipe
from paribus.report.texts import record_notes
from paribus.study import Study, StudyError
from paribus.study.document import write_study
from paribus.study.plan import trials

DEEP: dict[str, Any] = {
    "name": "deep",
    "base": "synthetic",
    "factors": {"model.depth": (10, 16)},
    "match": "params",
    "free": "model.width",
    "margin": 4.0,
}
CLASSES = 4  # of the stripes
FILE = """from paribus import Study
study = Study(name="deep", base="synthetic", factors={"model.depth": (10, 16)}, match="params", free="model.width",
    margin=4.0, match_tolerance=%s)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def params(recipe: Recipe, width: float) -> int:
    return complexity.count_params(recipe.replace({"model.width": width}).model, 3, CLASSES)


def test_the_width_comes_as_near_as_any_and_is_the_same_each_time(home: Path, tmp_path: Path) -> None:
    found = matched(Study(**DEEP), home)
    (one,) = found.matched
    base, deep = (found.recipe_of(arm) for arm in found.arms)
    assert (one.target, one.figure) == (params(base, base.model.width), params(deep, one.value))
    widths = [one.value * (0.8 + step / 100) for step in range(40)]
    assert abs(one.figure - one.target) <= min(abs(params(deep, width) - one.target) for width in widths)
    assert matched(Study(**DEEP), tmp_path).matched == found.matched
    assert matched(found, tmp_path) is found


def test_what_was_found_is_kept_and_nothing_is_counted_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = matched(Study(**DEEP), home)
    monkeypatch.delattr(complexity, "count_params")
    again = matched(Study(**DEEP).vary(fixed={"budget.amount": 9.0}), home)
    assert again.matched == found.matched
    with pytest.raises(ImportError):
        matched(Study(**DEEP).vary(fixed={"model.norm": "none"}), home)


def test_what_was_kept_damaged_is_counted_again(home: Path) -> None:
    found = matched(Study(**DEEP), home)
    for file in (home / "cache").glob("matched-*.json"):
        file.write_text(file.read_text()[:-9])
    assert matched(Study(**DEEP), home).matched == found.matched


def test_resolutions_at_equal_flops_have_each_stratum_matched_with_its_own_baseline(home: Path) -> None:
    study = Study(
        **DEEP
        | {
            "factors": {"data.size": (8, 12), "model.norm": ("batch", "none")},
            "baseline": {"data.size": 12},
            "match": "flops",
        }
    )
    found = matched(study, home)
    assert [one.arm.as_dict()["data.size"] for one in found.matched] == [8, 8]
    for one in found.matched:
        recipe = found.recipe_of(one.arm)
        assert one.figure == complexity.count(recipe.model, recipe.data.size or 0, 3, CLASSES).flops
        assert abs(one.off) < 0.05
        assert one.value > 0.25  # the preset's, which the baseline has
        base = found.recipe_of(found.baseline_of(one.arm))
        assert one.target == complexity.count(base.model, 12, 3, CLASSES).flops


def test_a_depth_takes_the_admissible_number_that_comes_nearest(home: Path) -> None:
    changes = {"factors": {"model.width": (1.0, 0.5)}, "free": "model.depth", "baseline": {"model.width": 1.0}}
    (one,) = matched(Study(**DEEP | changes, fixed={"model.depth": 16}), home).matched
    assert isinstance(one.value, int)
    assert (one.value - 4) % 6 == 0
    assert one.value > 28


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"free": "optimizer.lr"},
            "arm 'depth=16': free = 'optimizer.lr' changes no parameters: there are .* whatever it",
        ),
        ({"free": "augment.pad", "match": "flops"}, "changes no FLOPs"),
        (
            {"factors": {"model.width": (1.0, 30.0)}, "free": "model.depth"},
            r"no model.depth comes to the .* parameters of its baseline 'k=0.25': the nearest is 10, with .* \(\+",
        ),
    ],
)
def test_what_the_free_number_cannot_do_is_told_with_the_nearest(
    changes: dict[str, Any], words: str, home: Path
) -> None:
    with pytest.raises(StudyError, match=words):
        matched(Study(**DEEP | changes), home)


def test_data_that_are_not_here_are_told_as_everywhere(home: Path) -> None:
    with pytest.raises(DataError, match="no shards of 'cifar10'"):
        matched(Study(**DEEP | {"base": "cifar10"}), home)


def test_plan_says_by_what_arms_are_matched_and_which_are_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(home))
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PARIBUS_BASE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "deep.py"
    file.write_text(FILE % 0.9)
    (one,) = matched(Study(**DEEP), home).matched
    assert main(["plan", str(file)]) == 0
    text = capsys.readouterr().out
    assert f"match depth=16: k = {one.value:g} for {one.figure:,} parameters, " in text
    assert "is not matched" not in text
    file.write_text(FILE % 1e-6)
    assert main(["plan", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["matched"] == [
        {"arm": [["model.depth", 16]], "value": one.value, "figure": one.figure, "target": one.target}
    ]
    assert main(["plan", str(file)]) == 0
    assert "match depth=16 is not matched: it has" in capsys.readouterr().out
    # The study out of a ledger has the same trials, and no net is counted for them.
    monkeypatch.delattr(complexity, "count_params")
    whole = tmp_path / "study.json"
    whole.write_text(write_study(matched(Study(**DEEP), home)))
    assert main(["plan", str(whole), "--json"]) == 0
    ids = [step["id"] for step in json.loads(capsys.readouterr().out)["trials"]]
    assert ids == [step["id"] for step in document["trials"]]


def test_a_report_says_so_too_by_what_the_trials_measured(home: Path) -> None:
    found = matched(Study(**DEEP), home)
    base, deep = found.arms
    records = [ended(base, 1, metrics={"num_params": 100.0}), ended(deep, 1, metrics={"num_params": 130.0})]
    notes = record_notes(found, records, ())
    assert any(note.startswith("the arms were matched on params by model.width: depth=16: k = ") for note in notes)
    assert any("depth=16 is not matched: it has 130 parameters where depth=10 has 100 (+30 %" in note for note in notes)
    records[1] = ended(deep, 1, metrics={"num_params": 101.0})
    assert not any("is not matched" in note for note in record_notes(found, records, ()))
    assert not record_notes(replace(found, match="", free="", matched=()), records, ())


def test_the_ids_are_those_of_the_same_recipes_listed_one_by_one(home: Path) -> None:
    found = matched(Study(**DEEP | {"replicates": 1}), home)
    width = found.matched[0].value
    listed = Study(
        name="listed",
        base="synthetic",
        design="explicit",
        arms_listed=({"model.depth": 10}, {"model.depth": 16, "model.width": width}),
        replicates=1,
        margin=4.0,
    )
    ids = [{trial.id for trial in trials(study, lambda recipe: "d")} for study in (found, listed)]
    assert ids[0] <= ids[1]
