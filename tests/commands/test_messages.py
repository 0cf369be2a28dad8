"""Messages: every wrong word meets what is near, every number its range, and what is told to be pasted works."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import paribus
from paribus import Adaptive, Choice, Claim, Float, Int, Search, Study, Tuning
from paribus.commands.main import main
from paribus.commands.main import parser as whole_parser
from paribus.recipe import Recipe, RecipeError
from paribus.study import StudyError

Said = pytest.CaptureFixture[str]
STUDY = """from paribus import Study
study = Study(name="{name}", base="synthetic", factors={factors}, margin=4.0, replicates=3)
"""


@pytest.fixture(autouse=True)
def _away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PARIBUS_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def actions(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                yield from actions(inner, f"{name} {verb}".strip())
        else:
            yield name, action


def test_no_number_of_a_command_is_without_a_range() -> None:
    found = list(actions(whole_parser()))
    assert len(found) > 100
    # What of real numbers is allowed is said in sentences, where they are used.
    told = {("judge", "margin"), ("judge", "alpha")}
    told |= {(f"shards {verb}", "max_left_out") for verb in ("make", "index")}
    bare = [(verb, action.dest) for verb, action in found if action.type in (int, float)]
    assert set(bare) == told
    ranged = [action for _, action in found if getattr(action.type, "__name__", "") == "number"]
    assert len(ranged) > 15
    for action in ranged:
        assert callable(action.type)
        with pytest.raises(argparse.ArgumentTypeError, match="should be a whole number from"):
            action.type("-1")


WRONG: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    "a study's field": (Study, (), {"name": "a", "factor": {}}, "Study has no 'factor': did you mean 'factors'?"),
    "a study without a name": (Study, (), {"factors": {}}, "Study lacks name: write Study(name=..., ...)"),
    "a study in order": (Study, ("a", {}), {}, "Study takes its fields by name (Study(name=..., ...))"),
    "a varied study": (Study(name="a", factors={"model.width": (1.0, 2.0)}).vary, (), {"fixd": {}}, "mean 'fixed'?"),
    "a search's field": (Search, (), {"name": "a", "spaces": {}}, "Search has no 'spaces': did you mean 'space'?"),
    "a search without a space": (Search, (), {"name": "a"}, "Search lacks space"),
    "a tuning's": (Tuning, (), {"trial": 3}, "Tuning has no 'trial': did you mean 'trials'?"),
    "looks": (Adaptive, (), {"trial": 3}, "Adaptive has no 'trial': did you mean 'trials'?"),
    "a claim's": (Claim, ("x",), {"sorce": "y"}, "Claim has no 'sorce': did you mean 'source'?"),
    "a claim without a source": (Claim, ("x",), {}, "Claim lacks source"),
    "a range's": (Float, (0, 1), {"logs": True}, "Float has no 'logs': did you mean 'log'?"),
    "half a range": (Float, (0,), {}, "Float lacks high"),
    "a whole range's": (Int, (0, 1), {"setp": 1}, "Int has no 'setp': did you mean 'step'?"),
    "a range's end twice": (Int, (0, 1), {"high": 1}, "Int is given high twice"),
    "a choice's": (Choice, (1, 2), {"whn": {}}, "Choice has no 'whn': did you mean 'when'?"),
}


@pytest.mark.parametrize(("made", "args", "kwargs", "says"), WRONG.values(), ids=WRONG)
def test_a_field_that_is_none_or_is_left_out_is_named(
    made: Any, args: tuple[Any, ...], kwargs: dict[str, Any], says: str
) -> None:
    with pytest.raises(StudyError, match=re.escape(says)):
        made(*args, **kwargs)


def test_a_fault_of_what_a_constructor_calls_is_not_taken_for_one_of_its_call() -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise TypeError("of its own")

    with pytest.raises(TypeError, match="of its own"):
        Study(name="a", factors=Odd({"model.width": (1.0, 2.0)}))


def test_an_option_of_a_verb_is_named_and_one_that_cannot_be_refused() -> None:
    study = Study(name="a", factors={"model.width": (1.0, 2.0)})
    with pytest.raises(StudyError, match="plan has no option 'ledgr': did you mean 'ledger'"):
        paribus.plan(study, ledgr="x")
    with pytest.raises(StudyError, match=r"cpus = -1: .*a whole number from 1"):
        paribus.run(study, cpus=-1)


PATHS = {
    "data.augment": "did you mean 'augment'?",
    "data.batch": "did you mean 'data.batch_size'?",
    "optimizer.learning_rate": "did you mean 'optimizer.lr'?",
    "optimizer.width": "did you mean 'model.width'?",
    "optimizer.beta1": "optimizer has lr, weight_decay, ",
    "loss.kind": "did you mean 'loss'? It is 'cross_entropy', which has no fields",
    "model.activation.alpha": "did you mean 'model.activation'?",
    "los": "did you mean 'loss'?",
    "epochs": "did you mean 'budget', such as '20 epochs'?",
    "seed": "the study does, in Study(seed=...)",
    "data.x.y": "data has name, shards",
    "numerics.zzz": "numerics has precision, channels_last, compile",
}


@pytest.mark.parametrize(("path", "says"), PATHS.items(), ids=PATHS)
def test_a_wrong_path_meets_the_field_that_is_meant(path: str, says: str) -> None:
    with pytest.raises(RecipeError) as error:
        Recipe().replace({path: 1})
    assert f"no recipe field {path!r}: {says}" in str(error.value).replace("a recipe holds no chance; ", "")
    assert ":  " not in str(error.value)


def refused(said: Said, *words: str) -> str:
    assert main(list(words)) == 2
    return said.readouterr().err


def test_a_place_without_the_study_meets_studies_alone(capsys: Said) -> None:
    Path("studies").mkdir()
    Path("studies/width.py").write_text(STUDY.format(name="w", factors={"model.width": (0.25, 0.5)}))
    Path("studies/rates.py").write_text("from paribus import Search\nfound = Search()\n")
    Path("studies/plots.py").write_text("import sys\n")
    for words in ("studies/widht.py", "width", "widht.py"):
        assert "did you mean studies/width.py?" in refused(capsys, "plan", words)
    said = refused(capsys, "plan", "studies")
    assert "there are studies/rates.py, studies/width.py" in said
    assert "plots" not in said
    Path("none").mkdir()
    assert "and none lies in it" in refused(capsys, "plan", "none")


def test_a_part_of_a_recipe_that_cannot_be_is_a_sentence_with_its_line(capsys: Said) -> None:
    Path("a.py").write_text("from paribus import Recipe\n\nrecipe = Recipe(modle=1)\n")
    assert "a.py, line 3: Recipe: modle = 1: there is no such field" in refused(capsys, "plan", "a.py")


def test_a_baseline_that_is_added_to_the_levels_is_announced(capsys: Said) -> None:
    Path("w.py").write_text(STUDY.format(name="w", factors={"model.width": (1.0, 0.5)}))
    assert main(["plan", "w.py"]) == 0
    said = capsys.readouterr().out
    assert "model.width = 0.25 was added as the baseline" in said
    assert "baseline={'model.width': 1.0} compares" in said
    Path("w.py").write_text(STUDY.format(name="w", factors={"model.width": (0.25, 0.5)}))
    assert main(["plan", "w.py"]) == 0
    assert "was added" not in capsys.readouterr().out


def test_what_shards_make_says_to_write_trains_on_the_new_set(capsys: Said) -> None:
    for split, size in (("train", (40, 30)), ("val", (24, 36))):
        for name, colour in (("red", (200, 10, 10)), ("blue", (10, 10, 200))):
            for number in range(12):
                file = Path("photos", split, name, f"{number}.png")
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", size, (colour[0], number, colour[2])).save(file)
    assert main(["shards", "make", "photos", "made", "--workers", "1"]) == 0
    fixed, words = (line.partition(" by ")[2] for line in capsys.readouterr().out.splitlines()[-2:])
    study = STUDY.format(name="w", factors={"model.width": (0.25, 0.5)}).replace("margin=4.0", "margin=9")
    Path("w.py").write_text(study)
    assert main(["plan", "w.py", *shlex.split(words)]) == 0
    Path("w.py").write_text(study.replace("margin=9,", f"margin=9, {fixed}"))
    assert main(["plan", "w.py"]) == 0
    assert main(["plan", "w.py", "--set", "data.shards=nowhere"]) == 1
    assert f"there is no folder nowhere, which from this folder is {Path.cwd() / 'nowhere'}" in capsys.readouterr().err


@pytest.mark.parametrize("settings", [("resources.cpus=10000",), ("resources.gpus=64",)])
@pytest.mark.parametrize("kind", ["study", "search"])
def test_plan_refuses_trials_for_which_no_node_has_room(kind: str, settings: tuple[str, ...], capsys: Said) -> None:
    search = 'from paribus import Float, Search\ns = Search(name="s", base="synthetic", space={{"optimizer.lr": '
    search += "Float(0.01, 1.0)}}, confirm=0)\n"
    text = {"study": STUDY, "search": search}[kind]
    Path("w.py").write_text(text.format(name="w", factors={"model.width": (0.25, 0.5)}))
    assert main(["plan", "w.py", *(word for path in settings for word in ("--set", path))]) == 1
    assert "and the largest node has" in capsys.readouterr().err
    assert main(["plan", "w.py"]) == 0


def test_a_set_without_a_split_to_judge_on_is_told_what_a_study_needs(capsys: Said) -> None:
    for number in range(20):
        place = Path("photos/train") / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (96, 96), 9 * number).save(place / f"{number}.png")
    assert main(["shards", "make", "photos", "bare"]) == 0
    assert "it has no split to judge on: make it again in another folder with --hold-out test=0.2" in (
        capsys.readouterr().out
    )
    assert main(["shards", "make", "photos", "made", "--hold-out", "test=0.2"]) == 0
    out = capsys.readouterr().out
    assert "96 x 96 pixels: data.size=64 takes about 2 times less work" in out
    pasted = out.partition("any command by ")[2].partition("\n")[0]
    study = STUDY.format(name="mine", factors={"model.width": (1.0, 2.0)})
    Path("mine.py").write_text(study.replace("margin=4.0", "margin=50.0"))  # of two images
    assert main(["plan", "mine.py", *shlex.split(pasted), "--set", "data.batch_size=8"]) == 0


def test_shards_that_a_job_would_not_find_are_refused_before_it_is_submitted(capsys: Said) -> None:
    Path("mine.py").write_text(STUDY.format(name="mine", factors={"model.width": (1.0, 2.0)}))
    assert main(["submit", "--address", "http://127.0.0.1:9", "mine.py", "--set", "data.shards=data/set"]) == 2
    said = capsys.readouterr().err
    assert f"write {str(Path('data/set').resolve())!r}" in said
    assert main(["submit", "--address", "http://127.0.0.1:9", "mine.py", "--set", "data.shards=/data/set"]) == 1


def test_the_bare_name_says_what_there_is(capsys: Said) -> None:
    assert main([]) == 2
    assert "paribus init widths" in capsys.readouterr().err
