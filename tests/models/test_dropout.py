"""Masks: functions of seed, step, layer and index alone, drawn by an operator that compilers may trust."""

import pytest
import torch
from torch import nn

from paribus.models.dropout import Dropout, Rows, StochasticDepth, bernoulli, dropout_layers, seed_dropout


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_operator_is_what_its_shapes_and_schema_promise(layout: torch.memory_format) -> None:
    values = torch.randn(4, 3, 5, 6).to(memory_format=layout)
    torch.library.opcheck(bernoulli, (values, 0.7, torch.tensor(3)))
    assert bernoulli(values, 0.7, torch.tensor(3)).stride() == values.stride()


@pytest.mark.parametrize("layer", [Dropout(0.5), StochasticDepth(0.5, "row")], ids=["dropout", "stochastic_depth"])
def test_masks_are_those_of_the_indices_whatever_the_layout(layer: nn.Module) -> None:
    layers, values = dropout_layers(layer), torch.randn(16, 3, 5, 6)
    seed_dropout(layers, 1, 0)
    expected = layer(values)
    seed_dropout(layers, 1, 0)
    given = layer(values.to(memory_format=torch.channels_last))
    assert torch.equal(expected, given)
    assert given.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(expected, values)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "layer",
    [Dropout(0.5), StochasticDepth(0.5, "row"), StochasticDepth(0.5, "batch")],
    ids=["dropout", "stochastic_depth_row", "stochastic_depth_batch"],
)
def test_the_masks_of_shares_are_those_of_the_whole_batch(layer: nn.Module, layout: torch.memory_format) -> None:
    layers, values = dropout_layers(layer), torch.randn(16, 3, 5, 6).to(memory_format=layout)
    seed_dropout(layers, 1, 0)
    whole = layer(values)
    shares = []
    for first, last in ((0, 7), (7, 7), (7, 16)):
        seed_dropout(layers, 1, 0, Rows(first, 16))
        shares.append(layer(values[first:last]))
    assert torch.equal(torch.cat(shares), whole)
    seed_dropout(layers, 1, 0)
    assert torch.equal(layer(values), whole)


def test_dropout_keeps_the_mean_and_is_the_identity_in_evaluation() -> None:
    drop = Dropout(0.3)
    seed_dropout(dropout_layers(drop), 1, 0)
    x = torch.ones(200, 500)
    kept = drop(x)
    assert kept.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    assert kept.mean().item() == pytest.approx(1, abs=0.01)
    assert drop.eval()(x) is x


def test_a_mask_depends_on_seed_step_and_layer_alone() -> None:
    net = nn.ModuleDict({"a": Dropout(0.5), "b": Dropout(0.5)})
    layers = dropout_layers(net)
    x = torch.ones(1000)

    def masks(seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        seed_dropout(layers, seed, step)
        return net["a"](x), net["b"](x)

    first = masks(1, 7)
    masks(1, 8)
    again = masks(1, 7)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    for other in (first[1], masks(1, 8)[0], masks(2, 7)[0]):
        assert not torch.equal(first[0], other)


def test_dropout_that_nobody_seeded_says_so() -> None:
    with pytest.raises(RuntimeError, match="seed_dropout"):
        Dropout(0.5)(torch.ones(3))
