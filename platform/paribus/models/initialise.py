"""Initial values, each drawn from a generator keyed by (init seed, parameter name): arms share what they share."""

import math

import torch
from torch import Tensor, nn

from paribus.keyed_draws import keyed
from paribus.models.blocks import Conv, ConvNet, Linear
from paribus.models.layers import REMAKE
from paribus.recipe.seeds import key


def initialise(net: ConvNet, init_seed: int) -> None:
    """Fill the parameters and buffers of `net` (on the CPU) in place; no global generator is read or written.

    Convs: normal, mean 0, variance 2 / (kernel^2 * channels of a group), channels in or out as `net.fan` says (He et
    al. 2015, section 2.2; WRN takes fan-in, fb.resnet.torch, with which its ImageNet nets were trained, fan-out).
    Classifier: uniform within 1 / sqrt(features), bias 0 (utils.lua of the WRN release). A layer's own `std` goes
    before both. Norms: scale 1, shift 0. Biases: 0, or a conv's own `initial_bias`. A module from outside: what it sets
    itself, with draws keyed by (init seed, the module's name).
    """
    generator = torch.Generator()
    own = ""
    for module_name, module in net.named_modules():
        if own and module_name.startswith(own):
            continue
        if REMAKE in module.__dict__:
            own = f"{module_name}."
            remade(module, key(init_seed, module_name))
            continue
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.reset_running_stats()
        for name, parameter in module.named_parameters(recurse=False):
            generator.manual_seed(key(init_seed, f"{module_name}.{name}".lstrip(".")))
            _fill(parameter.detach(), module, name, net.fan, generator)


def remade(module: nn.Module, seed: int) -> None:
    """Give a module from outside the values that another like it starts with, what it draws being drawn by `seed`."""
    with keyed(seed), torch.device("cpu"):
        fresh = module.__dict__[REMAKE]()
    module.load_state_dict(fresh.state_dict())
    # Buffers that a state dict leaves out are values too.
    for mine, its in zip(module.buffers(), fresh.buffers(), strict=True):
        mine.copy_(its)


def _fill(values: Tensor, module: nn.Module, name: str, fan: str, generator: torch.Generator) -> None:
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)):
        values.fill_(1.0 if name == "weight" else 0.0)
    elif name == "bias":
        values.fill_(module.initial_bias if isinstance(module, Conv) else 0.0)
    elif isinstance(module, (Conv, Linear)) and module.std is not None:
        values.normal_(0, module.std, generator=generator)
    elif isinstance(module, Linear):
        bound = 1 / math.sqrt(module.in_features)
        values.uniform_(-bound, bound, generator=generator)
    elif isinstance(module, Conv):
        channels = (module.in_channels if fan == "in" else module.out_channels) // module.groups
        values.normal_(0, math.sqrt(2 / (math.prod(module.kernel_size) * channels)), generator=generator)
    else:
        raise TypeError(f"no rule to initialise {name!r} of a {type(module).__name__}: add one in initialise.py")
