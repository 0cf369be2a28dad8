"""What a network costs: parameters, FLOPs and activations, counted on the meta device in milliseconds."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from paribus.models.build import outline
from paribus.models.shapes import ShapesAlone
from paribus.recipe.components.component import own_of
from paribus.recipe.families.brought import Brought
from paribus.recipe.families.family import Family


@dataclass(frozen=True)
class Complexity:
    """Counts of one network at one input size."""

    params: int  # trainable numbers; buffers such as running means are none
    flops: int  # of one image forward: two per multiply-add, in convolutions and the classifier alone
    activations: int  # numbers that convolutions and the classifier put out for one image

    @property
    def macs(self) -> int:
        """Multiply-adds, which is what the ResNet papers print as FLOPs."""
        return self.flops // 2


@dataclass(frozen=True)
class Stage:
    """One row of a network's table."""

    name: str
    shape: tuple[int, ...]  # (C, H, W), or (C,) after the pool
    params: int


def count(model: Family, size: int, in_channels: int = 3, num_classes: int = 10) -> Complexity:
    """Count `model` on images (in_channels, size, size)."""
    net = outline(model, in_channels, num_classes).eval()
    activations: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        activations.append(output.numel())

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), ShapesAlone():
        net(_image(in_channels, size))
    return Complexity(_num_params(net), counter.get_total_flops(), sum(activations))


def count_params(model: Family, in_channels: int, num_classes: int) -> int:
    """The trainable numbers alone, without a forward pass."""
    return _num_params(outline(model, in_channels, num_classes))


def quick_count(model: Family, size: int, in_channels: int, num_classes: int) -> dict[str, int]:
    """`num_params`, and `flops` of nets that are ours throughout, as `count` finds them: for a process that trains.

    The first use of torch's counter, and of the meta device, takes seconds. A blank image on the CPU, through whatever
    values lie in memory, takes what a forward takes. Of a net from outside it would miss what is no module, and a layer
    of a user's may make something of the values.
    """
    net = outline(model, in_channels, num_classes)
    counts = {"num_params": _num_params(net)}
    if isinstance(model, Brought) or any(True for _ in own_of(model)):
        return counts
    flops: list[int] = []

    def note(module: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        flops.append(2 * module.weight[0].numel() * output.numel())

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(note)
    with torch.no_grad():
        net.to_empty(device="cpu").eval()(torch.zeros(1, in_channels, size, size))
    return {**counts, "flops": sum(flops)}


def stages(model: Family, size: int, in_channels: int = 3, num_classes: int = 10) -> list[Stage]:
    """The network's table from top to bottom: what every part puts out for one image, and its parameters."""
    net = outline(model, in_channels, num_classes).eval()
    rows: list[Stage] = []

    def noting(name: str, part: nn.Module) -> None:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            row = Stage(name, tuple(output.shape[1:]), _num_params(module))
            # A pool or a norm that the recipe leaves out is an identity, and no row of a paper's table.
            if row.params or output.shape != inputs[0].shape:
                rows.append(row)

        part.register_forward_hook(note)

    for name, child in net.named_children():
        parts = child.named_children() if isinstance(child, (nn.ModuleList, nn.ModuleDict)) else [("", child)]
        for index, part in parts:
            noting(f"{name}.{index}".rstrip("."), part)
    with torch.no_grad(), ShapesAlone():
        net(_image(in_channels, size))
    return rows


def _image(channels: int, size: int) -> Tensor:
    return torch.empty(1, channels, size, size, device="meta")


def _num_params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
