"""torch's optimizers as eager training needs them: without its compiler.

The first use of any `torch.optim.Optimizer` imports `torch._dynamo`, for its methods are wrapped so that a compiled
graph ends at them (torch 2.15, `torch/_compile.py`, `torch/optim/optimizer.py`): 1.4 of 4.6 s of CPU, and 44 MiB, of
each process that trains. Here a compiled graph never holds an optimizer (`TrainState.features`), so what is wrapped is
called as it is; the update is torch's own, and the numbers are.
"""

import inspect
from typing import Any

import torch


class EagerOptimizer(torch.optim.Optimizer):
    """The optimizer's own bookkeeping, which only ever runs outside of compiled graphs."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)


def _eager_step(kind: type[torch.optim.Optimizer]) -> Any:
    """The update of a class of torch's, without gradients, as its wrapper has it."""
    return torch.no_grad()(inspect.unwrap(kind.step))


class SGD(EagerOptimizer, torch.optim.SGD):
    """`torch.optim.SGD`, and by its name: `inherited.form_of` compares names."""

    step = _eager_step(torch.optim.SGD)


class AdamW(EagerOptimizer, torch.optim.AdamW):
    """`torch.optim.AdamW`."""

    step = _eager_step(torch.optim.AdamW)
