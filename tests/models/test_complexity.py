"""Counts against the papers, against public implementations and against the golden table."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from paribus.models.complexity import count, stages
from paribus.models.named import NAMED, named
from paribus.recipe import RecipeError, WideResNet

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "models.json").read_text())

# Counted from the papers' tables, the official training logs, torchvision, timm and pytorchcv.
PUBLISHED_PARAMS = {
    "WRN-40-1": 563_930, "WRN-40-2": 2_243_546, "WRN-40-4": 8_949_210, "WRN-40-8": 35_748_314,
    "WRN-40-10": 55_841_754, "WRN-28-2": 1_467_610, "WRN-28-10": 36_479_194, "WRN-28-12": 52_517_850,
    "WRN-22-8": 17_158_106, "WRN-22-10": 26_797_914, "WRN-16-1": 175_066, "WRN-16-2": 691_674,
    "WRN-16-4": 2_748_890, "WRN-16-8": 10_961_370, "WRN-16-10": 17_116_634, "WRN-52-1": 758_362,
    "WRN-18-1-imagenet": 11_689_512, "WRN-18-1.5-imagenet": 25_875_816, "WRN-18-2-imagenet": 45_618_216,
    "WRN-18-3-imagenet": 101_783_976, "WRN-34-1-imagenet": 21_797_672, "WRN-34-1.5-imagenet": 48_613_608,
    "WRN-34-2-imagenet": 86_036_008, "WRN-50-1-bottleneck": 25_557_032, "WRN-50-2-bottleneck": 68_883_240,
    "WRN-101-2-bottleneck": 126_886_696,
}  # fmt: skip
# Giga multiply-adds that the literature prints, at the same input.
PUBLISHED_GMACS = {"WRN-28-10": 5.243, "WRN-40-4": 1.299, "WRN-50-2-bottleneck": 11.398, "WRN-18-1-imagenet": 1.814}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_network_counts_as_the_golden_table_says(name: str) -> None:
    entry = NAMED[name]
    assert asdict(count(entry.model, entry.size, entry.channels, entry.num_classes)) == GOLDEN[name]


def test_the_golden_table_holds_the_named_networks_and_no_other() -> None:
    assert set(GOLDEN) == set(NAMED)


@pytest.mark.parametrize("name", PUBLISHED_PARAMS)
def test_parameters_are_those_of_the_paper(name: str) -> None:
    assert GOLDEN[name]["params"] == PUBLISHED_PARAMS[name]


@pytest.mark.parametrize("name", PUBLISHED_GMACS)
def test_multiply_adds_are_those_of_the_literature(name: str) -> None:
    assert GOLDEN[name]["flops"] / 2e9 == pytest.approx(PUBLISHED_GMACS[name], abs=5e-4)


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
