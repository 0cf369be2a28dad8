"""Lengths of training in epochs, steps and examples."""

import pytest

from paribus.recipe import Budget

# num_train 1,000 and batch 64 give 15 whole steps an epoch: the last, partial batch is dropped.
STEPS = [
    ("6 epochs", 1000, 64, 90),
    ("0.5 epochs", 1000, 64, 8),
    ("1 epochs", 64, 64, 1),
    ("200 epochs", 50_000, 128, 78_000),
    ("100 steps", 1000, 64, 100),
    ("100 steps", 7, 64, 100),
    ("0.1 steps", 1000, 64, 1),
    ("6400 examples", 1000, 64, 100),
    ("1 examples", 1000, 64, 1),
    ("1e6 examples", 1000, 100, 10_000),
    ("0.001 epochs", 1000, 64, 1),
]


@pytest.mark.parametrize(("text", "num_train", "batch_size", "num_steps"), STEPS)
def test_num_steps_in_every_unit(text: str, num_train: int, batch_size: int, num_steps: int) -> None:
    steps = Budget.model_validate(text).num_steps(num_train, batch_size)
    assert steps == num_steps
    assert isinstance(steps, int)


@pytest.mark.parametrize("text", ["6 epochs", " 6  epochs ", "6.0 epochs", "6", 6, 6.0])
def test_one_budget_written_in_many_ways(text: object) -> None:
    assert Budget.model_validate(text) == Budget(amount=6.0, unit="epochs")


@pytest.mark.parametrize(
    "text", ["", "epochs", "6epochs", "six epochs", "6 weeks", "0 epochs", "-1 steps", True, None, []]
)
def test_what_is_no_length_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="Budget"):
        Budget.model_validate(text)
