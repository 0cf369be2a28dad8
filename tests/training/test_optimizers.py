"""Every optimizer against its formula, written slowly in numpy, on a net's own parameters."""

import numpy as np
import pytest
import torch
from torch import nn

from paribus.recipe import SGD, AdamW, RMSProp
from paribus.recipe.optimizer import Optimizer
from paribus.training.flat import parameter_groups
from paribus.training.optimizers import make_optimizer, set_lr

RATES = (0.1, 0.05, 0.2, 0.01)


def numpy_sgd(w, grads, o, decay):  # type: ignore[no-untyped-def]
    velocity = None
    for g, lr in zip(grads, RATES, strict=True):
        g = g + decay * w
        velocity = g if velocity is None else o.momentum * velocity + g
        w = w - lr * (g + o.momentum * velocity if o.nesterov else velocity)
    return w


def numpy_rmsprop(w, grads, o, decay):  # type: ignore[no-untyped-def]
    """As tf.raw_ops.ApplyRMSProp documents it: epsilon inside the root, the rate inside the momentum."""
    ms, mom = np.ones_like(w), np.zeros_like(w)
    for g, lr in zip(grads, RATES, strict=True):
        g = g + decay * w
        ms = o.decay * ms + (1 - o.decay) * g * g
        mom = o.momentum * mom + lr * g / np.sqrt(ms + o.epsilon)
        w = w - mom
    return w


def numpy_adamw(w, grads, o, decay):  # type: ignore[no-untyped-def]
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (g, lr) in enumerate(zip(grads, RATES, strict=True), start=1):
        w = w - lr * decay * w
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g * g
        w = w - lr * (m / (1 - o.beta1**t)) / (np.sqrt(v / (1 - o.beta2**t)) + o.epsilon)
    return w


CASES = [
    (SGD(), numpy_sgd),
    (SGD(nesterov=False, momentum=0.5), numpy_sgd),
    (SGD(momentum=0.0), numpy_sgd),
    (RMSProp(), numpy_rmsprop),
    (RMSProp(momentum=0.9, epsilon=1e-3, weight_decay=4e-5), numpy_rmsprop),
    (AdamW(), numpy_adamw),
]


def small_net() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 5))
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data.normal_(generator=generator)
    return net


@pytest.mark.parametrize(("optimizer", "formula"), CASES)
@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_optimizer_follows_its_formula(
    optimizer: Optimizer, formula: object, everything: bool, memory_format: torch.memory_format
) -> None:
    optimizer = optimizer.model_copy(update={"decay_norms_and_biases": everything})
    net = small_net()
    start = [parameter.detach().double().numpy().copy() for parameter in net.parameters()]
    generator = torch.Generator().manual_seed(1)
    grads = [[torch.randn(p.shape, generator=generator) for _ in RATES] for p in net.parameters()]
    stepping = make_optimizer(optimizer, *parameter_groups(net, everything, memory_format))
    for step, lr in enumerate(RATES):
        for parameter, values in zip(net.parameters(), grads, strict=True):
            assert parameter.grad is not None
            parameter.grad.copy_(values[step])
        set_lr(stepping, lr)
        stepping.step()
    for parameter, w, values in zip(net.parameters(), start, grads, strict=True):
        decay = optimizer.weight_decay if everything or parameter.ndim > 1 else 0.0
        expected = formula(w, [value.double().numpy() for value in values], optimizer, decay)  # type: ignore[operator]
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=2e-5, atol=2e-6)


def test_epsilon_lies_inside_the_root_as_in_tensorflow() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    weight.grad = torch.tensor([2.0])
    make_optimizer(RMSProp(lr=0.1, epsilon=1.0, weight_decay=0.0), weight, None).step()
    # ms = 0.9 * 1 + 0.1 * 4 = 1.3, so that the step is 0.1 * 2 / sqrt(1.3 + 1).
    assert weight.item() == pytest.approx(1 - 0.2 / np.sqrt(2.3))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_flattening_keeps_values_and_gradients_flow_into_the_vector(memory_format: torch.memory_format) -> None:
    net, plain = small_net(), small_net()
    flat, rest = parameter_groups(net, True, memory_format)
    assert rest is None
    x = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(net(x), plain(x))
    net(x).square().sum().backward()
    plain(x).square().sum().backward()
    for parameter, reference in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, reference.grad)
        assert parameter.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()
    assert flat.grad is not None
    total = torch.nn.utils.get_total_norm([p.grad for p in plain.parameters() if p.grad is not None])
    assert torch.linalg.vector_norm(flat.grad).item() == pytest.approx(total.item(), rel=1e-6)
    assert net[0].weight.is_contiguous(memory_format=memory_format)


def test_norms_and_biases_are_what_takes_no_decay() -> None:
    net = small_net()
    decayed, undecayed = parameter_groups(net, decay_norms_and_biases=False)
    assert undecayed is not None
    both = [0, 0]
    for parameter in net.parameters():
        owner = parameter.untyped_storage().data_ptr() == undecayed.untyped_storage().data_ptr()
        both[owner] += 1
        assert owner == (parameter.ndim == 1)
    assert both == [2, 4]
    assert decayed.numel() % 16 == 0
