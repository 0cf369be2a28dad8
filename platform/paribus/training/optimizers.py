"""The recipe's optimizer over the flat parameters."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from paribus.recipe.optimizer import SGD, AdamW, Optimizer, RMSProp


def make_optimizer(
    optimizer: Optimizer, decayed: nn.Parameter, undecayed: nn.Parameter | None
) -> torch.optim.Optimizer:
    """SGD, RMSProp or AdamW; `undecayed` takes no weight decay."""
    groups: list[dict[str, Any]] = [{"params": [decayed], "weight_decay": optimizer.weight_decay}]
    if undecayed is not None:
        groups.append({"params": [undecayed], "weight_decay": 0.0})
    if isinstance(optimizer, SGD):
        nesterov = optimizer.nesterov and optimizer.momentum > 0
        return torch.optim.SGD(groups, lr=optimizer.lr, momentum=optimizer.momentum, nesterov=nesterov, fused=True)
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return torch.optim.AdamW(groups, lr=optimizer.lr, betas=betas, eps=optimizer.epsilon, fused=True)
    return RMSPropTF(groups, optimizer)


def state_names(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """What the optimizer keeps of every parameter once it has taken a step."""
    if isinstance(optimizer, torch.optim.SGD):
        return ("momentum_buffer",) if optimizer.defaults["momentum"] else ()
    return ("mean_square", "momentum") if isinstance(optimizer, RMSPropTF) else ("step", "exp_avg", "exp_avg_sq")


class RMSPropTF(torch.optim.Optimizer):
    """RMSProp as TensorFlow has it: epsilon inside the root, mean square s starting at 1, lr inside the momentum.

    `g = grad + weight_decay w;  s = decay s + (1 - decay) g^2;  m = momentum m + lr g / sqrt(s + epsilon);  w = w - m`
    (tf.train.RMSPropOptimizer, uncentred). torch.optim.RMSprop starts s at 0 and adds epsilon outside the root, which
    at the papers' epsilon of 1.0 is another optimizer.
    """

    def __init__(self, groups: list[dict[str, Any]], optimizer: RMSProp) -> None:
        defaults = {"lr": optimizer.lr, "decay": optimizer.decay, "momentum": optimizer.momentum}
        super().__init__(groups, {**defaults, "epsilon": optimizer.epsilon, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None, "the training loop has computed the gradients already"
        for group in self.param_groups:
            for parameter in group["params"]:
                self._update(parameter, group)

    def _update(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["mean_square"] = torch.ones_like(parameter)
            state["momentum"] = torch.zeros_like(parameter)
        assert parameter.grad is not None
        gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
        mean_square, momentum = state["mean_square"], state["momentum"]
        mean_square.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
        root = mean_square.add(group["epsilon"]).sqrt_()
        momentum.mul_(group["momentum"]).addcdiv_(gradient, root, value=group["lr"])
        parameter.sub_(momentum)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group the rate of this step."""
    for group in optimizer.param_groups:
        group["lr"] = lr
