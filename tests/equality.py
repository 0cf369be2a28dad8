"""Two implementations of one net: values copied from ours to theirs by order of execution, then compared."""

from collections import defaultdict

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from paribus.models.blocks import ConvNet

torch.set_num_threads(1)
_WITH_VALUES = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)


def fill(net: nn.Module, seed: int = 1) -> nn.Module:
    """Random values for every parameter and every statistic of `net`, of a size at which logits stay of order one."""
    net = net.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.reset_running_stats()
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
            module.weight.data.uniform_(0.5, 1.0, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.1, generator=generator)
    return net


def noise(size: int, channels: int = 3, num: int = 2) -> Tensor:
    """The same images (num, channels, size, size) on every call."""
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


def executed(net: nn.Module, images: Tensor) -> list[tuple[str, nn.Module]]:
    """The layers of `net` that hold values, in the order in which a pass over `images` runs them."""
    order: list[tuple[str, nn.Module]] = []
    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, _WITH_VALUES):
            hooks.append(module.register_forward_hook(lambda m, i, o, name=name: order.append((name, m))))
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    return order


def pairs(ours: nn.Module, theirs: nn.Module, images: Tensor, shortcut: str = "") -> dict[str, str]:
    """Names of layers of `theirs` to those of `ours`: the k-th executed of a shape to the k-th of that shape.

    We run a unit's shortcut after its branch. Where they run it first, `shortcut` is what its layers' names contain.
    """
    found: list[dict[Shapes, list[str]]] = []
    for net, first in ((ours, ""), (theirs, shortcut)):
        of_shape: dict[Shapes, list[str]] = defaultdict(list)
        layers = dict(executed(net, images))
        for name in _shortcuts_last(list(layers), first):
            of_shape[tuple(_shape(parameter) for parameter in layers[name].parameters())].append(name)
        found.append(of_shape)
    mine, other = found
    counts = [{shape: len(names) for shape, names in each.items()} for each in (mine, other)]
    assert counts[0] == counts[1], f"layers differ: {counts[0].items() ^ counts[1].items()}"
    return {name: at for shape in mine for at, name in zip(mine[shape], other[shape], strict=True)}


Shapes = tuple[tuple[int, ...], ...]


def _shape(parameter: Tensor) -> tuple[int, ...]:
    """A 1x1 conv on pooled features is a fully connected layer."""
    return tuple(parameter.shape[:2]) if parameter.shape[2:] == (1, 1) else tuple(parameter.shape)


def _shortcuts_last(names: list[str], shortcut: str) -> list[str]:
    order = list(names)
    for name in names if shortcut else ():
        if shortcut in name:
            unit = name[: name.index(shortcut)]
            order.remove(name)
            order.insert(max(at for at, other in enumerate(order) if other.startswith(unit)) + 1, name)
    return order


def copy(ours: nn.Module, theirs: nn.Module, images: Tensor, shortcut: str = "") -> dict[str, str]:
    """Give `theirs` the values of `ours`; returns theirs' layer names to ours'. Both must be in evaluation mode.

    The last layer is scaled first, so that logits are of order one and 1e-4 means the same for every net.
    """
    _, last = executed(ours, images)[-1]
    with torch.no_grad():
        spread = ours(images).std()
        for parameter in last.parameters():
            parameter.div_(spread)
    names = pairs(ours, theirs, images, shortcut)
    mine, other = dict(ours.named_modules()), dict(theirs.named_modules())
    for name, at in names.items():
        wanted = other[name].state_dict()
        other[name].load_state_dict(
            {key: value.reshape(wanted[key].shape) for key, value in mine[at].state_dict().items()}
        )
    return names


def assert_same_logits(ours: nn.Module, theirs: nn.Module, images: Tensor, atol: float = 1e-4) -> None:
    """Logits in evaluation mode, with all values random, within `atol`; and not all of them equal."""
    with torch.inference_mode():
        expected, given = theirs(images), ours(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(given, expected, atol=atol, rtol=0)


def _all_logits(net: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """The net's own logits, then those of its auxiliary heads."""
    if isinstance(net, ConvNet):
        pooled, sides = net.features(images)
        return net.head(pooled), *sides
    logits = net(images)
    return logits if isinstance(logits, tuple) else (logits,)


def assert_same_step(
    ours: nn.Module, theirs: nn.Module, names: dict[str, str], images: Tensor, auxiliary_weight: float = 0.0
) -> None:
    """Loss and every gradient of one training step, relative to the largest entry of each gradient.

    In float64: in float32 a step through a ReLU at a near-tie, or through a batch norm over a few values, turns last
    digits into thousandths, and which ones is up to the processor. `auxiliary_weight` is that of the loss of each
    auxiliary head; theirs gives their logits behind its own.
    """
    labels = torch.arange(len(images))
    losses = []
    for net in (ours, theirs):
        main, *sides = _all_logits(net.double().train(), images.double())
        loss = cross_entropy(main, labels)
        for side in sides:
            loss = loss + auxiliary_weight * cross_entropy(side, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    torch.testing.assert_close(losses[0], losses[1], atol=1e-9, rtol=1e-9)
    mine, other = dict(ours.named_modules()), dict(theirs.named_modules())
    for theirs_name, ours_name in names.items():
        for parameter, expected in zip(mine[ours_name].parameters(), other[theirs_name].parameters(), strict=True):
            assert parameter.grad is not None, f"{ours_name} took no part in the loss"
            assert expected.grad is not None
            scale = expected.grad.abs().max().clamp(min=1e-3)
            torch.testing.assert_close(
                parameter.grad / scale, expected.grad.view_as(parameter.grad) / scale, atol=1e-7, rtol=0
            )
