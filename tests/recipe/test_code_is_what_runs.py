"""Every function of ours that training runs is in the recipe's code, or stands in the table of what is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tiny_nets import TINY

import paribus
from paribus.data import data_digest
from paribus.recipe.code.digest import reached_by
from paribus.recipe.code.names import Place
from paribus.recipe.code.roots import LEFT_OUT, UNREAD_MEMBERS, is_left_out

# Trains a recipe of every family and prints the functions of ours that ran, family by family.
PROGRAM = """
import json, sys, threading
from pathlib import Path
import paribus, tiny_nets
from paribus.data.feed import open_feed
from paribus.recipe import Seeds
from paribus.training.loop import epochs
root, ran, found = str(Path(paribus.__file__).parent), set(), {}
def note(frame, event, arg):
    if event == "call":
        ran.add(frame.f_code)
for name, recipe in tiny_nets.TINY.items():
    seeds = Seeds.draw(0, 1)
    ran.clear()
    threading.setprofile(note), sys.setprofile(note)
    assert all(epoch.step == 2 for epoch in epochs(recipe, seeds, open_feed(recipe, Path(sys.argv[1]), threads=1)))
    threading.setprofile(None), sys.setprofile(None)
    own = [code for code in ran.copy() if code.co_filename.startswith(root)]
    found[name] = [(code.co_filename[len(root) + 1:], code.co_qualname) for code in own]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[Place]]:
    """What ran in the training of each family: module and function, `Class.method`."""
    home = tmp_path_factory.mktemp("home")
    data_digest(TINY["WideResNet"], home)  # makes the set, which a trial need not
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{PROGRAM}", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, list[tuple[str, str]]] = json.loads(done.stdout)
    return {
        family: {Place(_module(file), name) for file, name in functions if not name.startswith("<")}
        for family, functions in found.items()
    }


def _module(file: str) -> str:
    return ".".join(["paribus", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


def _outermost(place: Place) -> Place:
    return Place(place.module, place.name.split(".")[0])


@pytest.mark.parametrize("family", TINY)
def test_all_that_training_runs_is_in_the_code(ran: Mapping[str, set[Place]], family: str) -> None:
    functions = ran[family]
    names = {name for _, name in functions}
    assert len(functions) > 150
    assert {"epochs", "open_feed", "TrainState.step", "lr_at", "initialise"} <= names
    reached = reached_by(TINY[family])
    missing = {place for place in functions if _outermost(place) not in reached}
    assert {place for place in missing if not is_left_out(_outermost(place), "paribus")} == set()
    unread = {place for place in functions if place.name.rpartition(".")[2] in UNREAD_MEMBERS and "." in place.name}
    assert {place for place in unread if place.module.startswith("paribus.recipe")} == set()


def test_what_is_left_out_is_there() -> None:
    root = Path(paribus.__file__).parent
    for entry in LEFT_OUT:
        module, _, name = entry.partition(":")
        path = root.joinpath(*module.split("."))
        file = path.with_suffix(".py")
        assert path.is_dir() or file.is_file(), f"LEFT_OUT names {entry}, which is not there"
        assert not name or f" {name}(" in file.read_text(), f"LEFT_OUT names {entry}, which is not there"
