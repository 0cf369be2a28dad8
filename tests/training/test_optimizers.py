"""Every optimizer against its formula, written slowly in numpy, on a net's own parameters."""

import numpy as np
import pytest
import torch
from torch import nn

from paribus.recipe import SGD, AdamW, RMSProp
from paribus.recipe.optimizer import Lion, Muon, Optimizer
from paribus.training.flat import parameter_groups
from paribus.training.optimizers import make_optimizer, orthogonalised

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


def numpy_lion(w, grads, o, decay):  # type: ignore[no-untyped-def]
    m = np.zeros_like(w)
    for g, lr in zip(grads, RATES, strict=True):
        w = w - lr * (np.sign(o.beta1 * m + (1 - o.beta1) * g) + decay * w)
        m = o.beta2 * m + (1 - o.beta2) * g
    return w


CASES = [
    (Lion(), numpy_lion),
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
        for group in stepping.param_groups:
            group["lr"] = lr
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


def test_newton_schulz_brings_every_singular_value_near_one() -> None:
    for shape in ((6, 20), (20, 6), (5, 5)):
        found = orthogonalised(torch.randn(shape, generator=torch.Generator().manual_seed(1)), 5)
        values = torch.linalg.svdvals(found)
        assert found.shape == shape
        assert values.min() > 0.3
        assert values.max() < 1.4


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_moves_matrices_as_torchs_own_does_and_the_rest_as_adamw_does(nesterov: bool) -> None:
    recipe = Muon(lr=0.02, weight_decay=0.1, nesterov=nesterov)
    net, twin = small_net(), small_net()
    ours = make_optimizer(recipe, *parameter_groups(net, decay_norms_and_biases=True), net)
    matrices = [nn.Parameter(each.detach().flatten(1).clone()) for each in twin.parameters() if each.ndim > 1]
    vectors = [nn.Parameter(each.detach().clone()) for each in twin.parameters() if each.ndim == 1]
    theirs = (
        torch.optim.Muon(
            matrices, lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=nesterov, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(vectors, lr=0.02, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8),
    )
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for each in net.parameters():
            assert each.grad is not None
            each.grad.copy_(torch.randn(each.shape, generator=generator))
        of_net = [each.grad for each in net.parameters() if each.grad is not None]
        for mine, grads in (
            (matrices, [g for g in of_net if g.ndim > 1]),
            (vectors, [g for g in of_net if g.ndim == 1]),
        ):
            for each, gradient in zip(mine, grads, strict=True):
                each.grad = gradient.detach().reshape(each.shape).clone()
        for optimizer in (ours, *theirs):
            optimizer.step()
    for each, other in zip([p for p in net.parameters() if p.ndim > 1], matrices, strict=True):
        # Torch's iterates in bfloat16.
        torch.testing.assert_close(each.flatten(1), other, atol=0.02, rtol=0.05)
    for each, other in zip([p for p in net.parameters() if p.ndim == 1], vectors, strict=True):
        torch.testing.assert_close(each, other)
