"""Counts against the papers, against public implementations and against the golden table."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from paribus.models.complexity import count, quick_count, stages
from paribus.models.named import NAMED, named
from paribus.recipe import RecipeError, WideResNet
from paribus.recipe.model import FAMILIES

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "models.json").read_text())

# Counted from the papers' tables, the official training logs, torchvision, timm and pytorchcv: parameters, and giga
# multiply-adds at the published input where they print them.
PUBLISHED = json.loads((Path(__file__).parents[1] / "golden" / "published.json").read_text())


@pytest.mark.parametrize("name", NAMED)
def test_a_named_network_counts_as_the_golden_table_says(name: str) -> None:
    entry = NAMED[name]
    assert asdict(count(entry.model, entry.size, entry.channels, entry.num_classes)) == GOLDEN[name]


@pytest.mark.parametrize("name", [name for name, row in GOLDEN.items() if row["flops"] < 1.2e9])
def test_what_a_trial_records_of_its_net_is_what_the_table_has(name: str) -> None:
    entry, row = NAMED[name], GOLDEN[name]
    state = torch.get_rng_state()
    found = quick_count(entry.model, entry.size, entry.channels, entry.num_classes)
    assert found == {"num_params": row["params"], "flops": row["flops"]}
    assert torch.equal(torch.get_rng_state(), state)


def test_the_golden_table_holds_the_named_networks_and_no_other() -> None:
    assert set(GOLDEN) == set(NAMED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_those_of_the_papers_and_releases(name: str) -> None:
    assert GOLDEN[name]["params"] == PUBLISHED[name]["params"]
    if PUBLISHED[name]["gmacs"] is not None:
        assert GOLDEN[name]["flops"] / 2e9 == pytest.approx(PUBLISHED[name]["gmacs"], rel=0.005, abs=5e-4)


def test_every_family_has_published_counts() -> None:
    families = {type(NAMED[name].model) for name in PUBLISHED}
    assert len(PUBLISHED) >= 60
    assert families == set(FAMILIES)


@pytest.mark.parametrize(
    ("depth", "block", "millions"),
    [
        (40, (1, 3, 1), 1.4),
        (40, (3, 1), 1.2),
        (40, (1, 3), 1.3),
        (40, (3, 1, 1), 1.3),
        (28, (3, 3), 1.5),
        (22, (3, 1, 3), 1.1),
    ],
)
def test_every_block_of_table_2_has_its_printed_parameters(depth: int, block: tuple[int, ...], millions: float) -> None:
    # The paper prints 1.1 for B(3,1,3), whose exact count is 1.145.
    assert count(WideResNet(depth=depth, width=2.0, block=block), 32).params / 1e6 == pytest.approx(millions, abs=0.051)


def test_table_3_holds_the_parameters_whatever_the_convolutions_per_block() -> None:
    models = {name: entry.model for name, entry in NAMED.items() if isinstance(entry.model, WideResNet)}
    rows = [name for name, model in models.items() if set(model.block) == {3} and model.width == 2]
    equal = [name for name in rows if GOLDEN[name]["params"] == 2_243_546]
    assert sorted(len(models[name].block) for name in equal) == [1, 2, 3, 4]


def test_stages_follow_table_1() -> None:
    rows = {stage.name: stage.shape for stage in stages(WideResNet(depth=28, width=10.0), 32)}
    assert rows == {
        "conv1": (16, 32, 32),
        "stages.0": (160, 32, 32),
        "stages.1": (320, 16, 16),
        "stages.2": (640, 8, 8),
        "last": (640, 8, 8),
        "head": (10,),
    }


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="the nearest are WRN-28-12, WRN-28-10"):
        named("WRN-28-1O")
