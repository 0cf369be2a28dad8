"""Whose a result is: it belongs to every study whose plan names its trial, however the arms were written back then."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any

import pytest
from shelf import Shelf

from paribus.commands.study import study_verbs as verbs
from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.report.judging import judge
from paribus.study import Study
from paribus.study.document import read_places, write_places
from paribus.study.plan import places
from paribus.study.words import Arm

pytestmark = pytest.mark.cluster
WIDTHS = {"model.width": (0.25, 0.5)}
RATES = {"optimizer.lr": (0.05, 0.1)}


def study_of(factors: dict[str, tuple[Any, ...]], name: str = "", **fields: Any) -> Study:
    name = name or f"own-{uuid.uuid4().hex[:8]}"
    return Study(**{"name": name, "base": "synthetic", "factors": factors, "replicates": 3, "margin": 4.0, **fields})


def base_level(path: str) -> Any:
    return dict(study_of(WIDTHS).base_recipe.optimizer.model_dump())[path.partition(".")[2]]


CHANGES = {
    "a factor added at the base's level": (WIDTHS, {**WIDTHS, "optimizer.lr": (base_level("optimizer.lr"),)}),
    "a factor dropped": ({**WIDTHS, "optimizer.lr": (base_level("optimizer.lr"),)}, WIDTHS),
    "another order of the factors": ({**WIDTHS, **RATES}, {**RATES, **WIDTHS}),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=list(CHANGES))
def test_trials_are_judged_whatever_the_factors_were_when_they_ran(shelf: Shelf, before: Any, after: Any) -> None:
    first = study_of(before)
    shelf.fill(first)
    second = study_of(after, first.name)
    expected = judge(first, shelf.uri, shelf.home).analysis.contrasts
    found = judge(second, shelf.uri, shelf.home).analysis
    assert [contrast.n for contrast in found.contrasts] == [3] * len(second.arms[1:])
    assert sorted(c.mean for c in found.contrasts) == pytest.approx(sorted(c.mean for c in expected))
    assert not any("have ended" in note for note in found.notes)


def test_another_design_of_the_same_arms_is_judged_on_the_same_trials(shelf: Shelf) -> None:
    levels = {"model.width": (0.25, 0.5), "optimizer.lr": (0.05, 0.1)}
    whole = study_of(levels, baseline={"model.width": 0.25})
    shelf.fill(whole)
    one = study_of(levels, whole.name, design="one_at_a_time", baseline={"model.width": 0.25})
    listed = [{"optimizer.lr": rate, "model.width": width} for rate in (0.05, 0.1) for width in (0.25, 0.5)]
    explicit = study_of({}, whole.name, design="explicit", arms_listed=listed, baseline={"model.width": 0.25})
    for study in (one, explicit):
        assert {contrast.n for contrast in judge(study, shelf.uri, shelf.home).analysis.contrasts} == {3}


def test_status_export_and_the_driver_speak_of_the_plans_arms(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    first = study_of({**WIDTHS, **RATES})
    shelf.fill(first)
    second = study_of({**RATES, **WIDTHS}, first.name)
    options = Options(ledger=shelf.uri)
    verbs.status(second, options)
    assert "12 of 12 trials have ended" in capsys.readouterr().out
    verbs.export(second, options)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["arm"] for row in rows[:4]] == [arm.name for arm in second.arms]
    assert drive(second, options, shelf.uri) == 0
    assert "no pair" not in capsys.readouterr().out


def test_arms_are_equal_whatever_the_order_of_their_factors() -> None:
    one, other = Arm.of({"a": 1, "b": (3, 3)}), Arm.of({"b": (3, 3), "a": 1})
    assert one == other
    assert len({one, other}) == 1
    assert one.name != other.name, "the name keeps the study's own order"
    assert one != Arm.of({"a": 1})
    assert one != Arm.of({"a": 2, "b": (3, 3)})


def test_the_places_of_a_studys_trials_are_read_back_also_from_ids_alone(shelf: Shelf) -> None:
    study = study_of({**WIDTHS, "model.block": ((3, 3), (3, 1, 3))})
    own = places(shelf.trials(study))
    assert read_places(json.loads(write_places(own)), study) == own
    assert read_places(list(own), study) == own, "as the last release wrote them"
