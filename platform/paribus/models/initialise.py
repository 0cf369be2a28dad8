"""Initial values, each drawn from a generator keyed by (init seed, parameter name): arms share what they share."""

import math

import torch
from torch import Tensor, nn

from paribus.recipe.seeds import key


def initialise(net: nn.Module, init_seed: int, fan: str = "in") -> None:
    """Fill the parameters and buffers of `net` (on the CPU) in place; no global generator is read or written.

    Convs: normal, mean 0, variance 2 / (kernel^2 * channels), channels in or out as `fan` says (He et al. 2015,
    section 2.2; WRN takes fan-in, fb.resnet.torch, with which its ImageNet nets were trained, fan-out). Classifier:
    uniform within 1 / sqrt(features), bias 0 (utils.lua of the WRN release). Norms: scale 1, shift 0. Biases: 0.
    """
    generator = torch.Generator()
    for module_name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
        for name, parameter in module.named_parameters(recurse=False):
            generator.manual_seed(key(init_seed, f"{module_name}.{name}".lstrip(".")))
            _fill(parameter.detach(), module, name, fan, generator)


def _fill(values: Tensor, module: nn.Module, name: str, fan: str, generator: torch.Generator) -> None:
    if name == "bias":
        values.zero_()
    elif isinstance(module, nn.BatchNorm2d):
        values.fill_(1.0)
    elif isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.in_features)
        values.uniform_(-bound, bound, generator=generator)
    elif isinstance(module, nn.Conv2d):
        channels = module.in_channels if fan == "in" else module.out_channels
        values.normal_(0, math.sqrt(2 / (math.prod(module.kernel_size) * channels)), generator=generator)
    else:
        raise TypeError(f"no rule to initialise {name!r} of a {type(module).__name__}: add one in initialise.py")
