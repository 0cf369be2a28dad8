"""A study of three widths and its results in memory, as fixtures."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from paribus.study import Arm, Claim, Study, TrialResult


@pytest.fixture
def study() -> Study:
    """Three widths against k = 1, five replicates, a margin of half a point."""
    return Study(
        name="width",
        factors={"model.width": (1.0, 2.0, 4.0)},
        baseline={"model.width": 1.0},
        replicates=5,
        claim=Claim("wider is better", "WRN, Table 4", direction="better", setting="CIFAR-10, 200 epochs"),
    )


Values = Mapping[float, Sequence[float | str]]
Make = Callable[[Study, Values], list[TrialResult]]


@pytest.fixture
def results_of() -> Make:
    """Results from a table of width to one entry per replicate: a top-1, or an outcome's name for a trial without."""

    def make(study: Study, values: Values) -> list[TrialResult]:
        arms = {arm.as_dict()["model.width"]: arm for arm in study.arms}
        return [one(arms[width], i, entry) for width, column in values.items() for i, entry in enumerate(column, 1)]

    def one(arm: Arm, replicate: int, entry: float | str) -> TrialResult:
        if isinstance(entry, str):
            return TrialResult(
                trial_id=f"{arm.name}-{replicate}",
                arm=arm,
                replicate=replicate,
                outcome=entry,
                outcome_step=40,
                num_steps=40,
            )
        return TrialResult(
            trial_id=f"{arm.name}-{replicate}",
            arm=arm,
            replicate=replicate,
            outcome="finished",
            metrics={"top1": entry, "log_likelihood": entry / 100 - 1, "eval_loss": 1 - entry / 100},
            num_steps=100,
        )

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)
