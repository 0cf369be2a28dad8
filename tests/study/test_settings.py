"""What makes two settings of one study, and how a person tells them apart."""

from __future__ import annotations

from typing import Any

import pytest

from paribus import Study
from paribus.recipe import preset
from paribus.study.settings import Settings, settings_of


def study(**fields: Any) -> Study:
    return Study(**{"name": "width", "base": "digits", "factors": {"model.width": (1.0, 2.0)}, **fields})


SAME = {
    "replicates": study(replicates=9),
    "margin, metric and seed": study(metric="log_likelihood", margin=0.02, seed=3),
    "another factor": study(factors={"model.width": (1.0, 2.0), "model.depth": (16, 28)}),
    "what changes no result": study(fixed={"resources.cpus": 2}),
    "the same said in another way": study(base=preset("digits")),
}


@pytest.mark.parametrize("other", SAME.values(), ids=list(SAME))
def test_these_make_no_other_settings(other: Study) -> None:
    assert settings_of(other, study()) == settings_of(study())
    assert settings_of(other, study()).declared


NAMES = {
    "budget=2 epochs": study(fixed={"budget": "2 epochs"}),
    "optimizer.lr=0.5, budget=2 epochs": study(fixed={"optimizer.lr": 0.5, "budget": "2 epochs", "resources.cpus": 2}),
    "base=fashion_mnist": study(base="fashion_mnist"),
    "base=fashion_mnist, budget=1 epochs": study(base="fashion_mnist", fixed={"budget": "1 epochs"}),
    "optimizer.lr=0.7": study(base=preset("digits").replace({"optimizer.lr": 0.7})),
}


@pytest.mark.parametrize(("name", "other"), NAMES.items(), ids=list(NAMES))
def test_other_settings_are_named_by_what_differs_from_the_file(name: str, other: Study) -> None:
    found = settings_of(other, study())
    assert found.name == name
    assert found.title("width") == f"width · {name}"
    assert found.digest != settings_of(study()).digest


def test_one_budget_in_two_spellings_is_one_settings() -> None:
    one = study(fixed={"budget": "2 epochs"})
    other = study(fixed={"budget.amount": 2.0})
    assert settings_of(one).digest == settings_of(other).digest


def test_a_name_stays_short_and_tells_two_long_ones_apart() -> None:
    levels = {f"optimizer.{name}": 0.123456789 for name in ("lr", "weight_decay", "momentum")}
    levels |= {"training.label_smoothing": 0.123456789, "training.ema_decay": 0.123456789, "model.dropout": 0.12345}
    one, other = (settings_of(study(fixed={**levels, "training.clip_norm": norm}), study()) for norm in (1.0, 2.0))
    assert len(one.name) < 200
    assert one.name != other.name


def test_an_earlier_releases_settings_are_those_of_the_file() -> None:
    assert Settings().declared
    assert Settings().title("width") == "width"
