"""Records of earlier releases that trained the same numbers have the code of the last one, from whichever they come."""

import pytest
from tiny_nets import TINY

from paribus.recipe import Recipe, preset
from paribus.recipe.code import code_of
from paribus.recipe.code.releases import KNOWN, code_then

# Of Wide ResNets in the generation in which each trial first had the cores that it asked for.
AT_CORES_ASKED_FOR = "b449fa0c4769ceec"
AT_5885A4D, AT_F3CE7C5 = "bfdc29694eb4939d", {"wide_resnet": "d88fa42331cce906", "inception_v3": "49ad2afdf798196c"}
# Families that came after the releases whose codes are known: none of those trained them.
LATER: frozenset[str] = frozenset()
FAMILIES = sorted({recipe.model.family for recipe in TINY.values()} - LATER)


def of_family(family: str) -> Recipe:
    return preset("digits").replace({"model.family": family})


@pytest.mark.parametrize("family", FAMILIES)
def test_codes_of_all_generations_lead_to_the_last(family: str) -> None:
    recipe = of_family(family)
    last = code_then(AT_5885A4D, recipe)
    assert last is not None
    assert last in KNOWN
    assert code_then(last, recipe) == last
    if family in AT_F3CE7C5:
        assert code_then(AT_F3CE7C5[family], recipe) == last


def test_another_familys_code_or_an_unknown_one_leads_nowhere() -> None:
    assert code_then(AT_F3CE7C5["inception_v3"], of_family("wide_resnet")) is None
    assert code_then("0" * 16, of_family("wide_resnet")) is None


def test_what_was_trained_on_several_cores_before_all_trials_had_them_leads_nowhere() -> None:
    recipe = of_family("wide_resnet").replace({"resources.cpus": 2.0})
    assert code_then(AT_F3CE7C5["wide_resnet"], recipe) is None
    last = code_then(AT_5885A4D, of_family("wide_resnet"))
    assert last is not None
    assert code_then(last, recipe) == last


def test_what_a_gpu_computed_before_it_did_so_as_asked_for_leads_nowhere() -> None:
    recipe = of_family("wide_resnet").replace({"resources.gpus": 1.0, "resources.cpus": 2.0})
    last = code_then(AT_5885A4D, of_family("wide_resnet"))
    assert last is not None
    for code in (AT_5885A4D, AT_F3CE7C5["wide_resnet"], AT_CORES_ASKED_FOR):
        assert code_then(code, recipe) is None
        assert code_then(code, of_family("wide_resnet")) == last
    assert code_then(last, recipe) == last
    several = recipe.replace({"resources.gpus": 0.0})
    assert code_then(AT_CORES_ASKED_FOR, several) == last, "on CPUs that generation's numbers are the last one's"


CHANGES = [
    {"model.activation": {"kind": "leaky_relu", "negative_slope": 0.2}, "augment.flip": True, "data.batch_size": 32},
    {"loss": {"kind": "focal", "gamma": 3.0}, "augment.policy": "rand_augment", "augment.mix": "mixup"},
    {"optimizer.kind": "lion", "schedule.kind": "cosine", "model.norm": "layer"},
    {"model.se.module": "eca", "training.ema_decay": 0.9, "numerics.precision": "bfloat16"},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_whatever_a_recipe_names_of_ours_its_code_is_its_familys(changes: dict[str, object]) -> None:
    """So a table with a code a family, and a kind of schedule, holds for every recipe without parts from outside."""
    plain = preset("digits")
    assert code_of(plain.replace(changes)) == code_of(plain)
