"""The fields that `paribus fields` tells of are those of recipes, and what it says of them is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paribus.commands.main import main
from paribus.recipe import PRESETS, Recipe, RecipeError
from paribus.recipe.fields import RecipeField, recipe_fields
from paribus.recipe.model import FAMILIES
from paribus.recipe.paths import leaves

FIELDS = recipe_fields()
KINDS = {
    "optimizer.kind": ("sgd", "rmsprop", "adamw", "lion", "muon"),
    "schedule.kind": ("step", "exponential", "cosine", "one_cycle"),
    "model.family": tuple(str(family.model_fields["family"].default) for family in FAMILIES),
}
VARIATIONS = [
    *({}, {"loss": "focal"}, {"model.norm": "group", "model.activation": "elu"}, {"augment.mix": "cutmix"}),
    *({path: kind} for path, kinds in KINDS.items() for kind in kinds),
]


def of(path: str, kind: str) -> RecipeField:
    (found,) = [one for one in FIELDS if one.path == path and (not one.kinds or kind in one.kinds)]
    return found


@pytest.mark.parametrize("changes", VARIATIONS, ids=str)
def test_every_field_of_a_recipe_is_told_with_the_default_that_it_has(changes: dict[str, Any]) -> None:
    paths = {one.path for one in FIELDS}
    tree = dict(leaves(Recipe().replace(changes).model_dump()))
    components = {path.removesuffix(".kind") for path in tree if path.endswith(".kind")}
    assert set(tree) - paths <= {f"{path}.kind" for path in components & paths}
    for part, kind in ((path.rpartition(".")[0], kind) for path, kind in changes.items() if path in KINDS):
        for path, value in tree.items():
            if path.startswith(f"{part}.") and path not in KINDS:
                assert dict(of(path, kind).defaults)[kind] == value, path


def test_every_field_says_what_it_takes_and_does() -> None:
    assert [one.path for one in FIELDS if not one.does or not one.takes] == []
    assert [one.path for one in FIELDS if not one.does.replace(f"`{one.path.rpartition('.')[2]}`", "").strip()] == []


def outside() -> Iterator[tuple[str, str, float]]:
    """A field, a kind that has it, and a value that it does not take by what is said of it."""
    for one in FIELDS:
        kind = next(iter(one.kinds), "")
        words = one.takes.split(", or null")[0].split()
        for word, beyond in (("above", 0.0), ("from", -1.0), ("below", 0.0), ("most", 1.0), ("to", 1.0)):
            if "number" in words and word in words and re.fullmatch(r"[\d.e+-]+", words[words.index(word) + 1]):
                value = float(words[words.index(word) + 1]) + beyond
                yield one.path, kind, int(value) if "whole" in words else value


@pytest.mark.parametrize(("path", "kind", "value"), list(outside()))
def test_a_value_beyond_the_range_that_is_told_is_refused(path: str, kind: str, value: float) -> None:
    part = path.rpartition(".")[0]
    picks = {f"{part}.kind": kind, "model.family": kind}
    changes = {name: kind for name, chosen in picks.items() if chosen in KINDS.get(name, ())}
    if kind and not changes:  # an argument of a component, which is named there
        changes = {part: kind}
    Recipe().replace(changes)
    with pytest.raises(RecipeError):
        Recipe().replace({**changes, path: value})


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["fields", *words]) == 0
    return capsys.readouterr().out


def test_fields_are_found_by_path_by_word_and_with_a_presets_values(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(told(capsys, "optimizer.lr", "--json"))
    assert [row["path"] for row in rows] == ["optimizer.lr"]
    assert rows[0]["defaults"] == {"sgd": 0.1, "rmsprop": 0.045, "adamw": 0.001, "lion": 0.0001, "muon": 0.001}
    assert "training.label_smoothing = 0: a number from 0 to below 1" in told(capsys, "smoothing")
    assert "data.eval_split = val" in told(capsys, "data", "--base", "imagenet")
    assert {row["path"] for row in json.loads(told(capsys, "budget", "--json"))} == {
        "budget",
        "budget.amount",
        "budget.unit",
    }
    assert "Rethinking" in told(capsys, "model.factorised")  # all that its part says
    for base, recipe in PRESETS.items():
        known = {row["path"] for row in json.loads(told(capsys, "--base", base, "--json"))}
        assert set(dict(leaves(recipe.model_dump()))) <= known
    assert main(["fields", "optimzer.lr"]) == 2
    assert "did you mean 'optimizer.lr'?" in capsys.readouterr().err


def test_a_component_of_ones_own_has_its_arguments_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fields_of_mine.py").write_text(
        'class Snake:\n    """x + sin(a x)^2 / a.\n\n    `a` is how fast it turns."""\n\n'
        "    def __init__(self, a: float = 0.5, channels: int = 1):\n        pass\n\n\ndef plain(x):\n    return x\n"
    )
    text = told(capsys, "fields_of_mine:Snake")
    assert "x + sin(a x)^2 / a." in text
    assert "a = 0.5: a number\n    `a` is how fast it turns" in text
    assert "channels" not in text  # Paribus gives it
    assert main(["fields", "fields_of_mine:Snaek"]) == 2
    assert "did you mean 'Snake'?" in capsys.readouterr().err
