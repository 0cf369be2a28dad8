"""The recipe's optimizer over the flat parameters."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from paribus.recipe.components.own import accepts, call, load
from paribus.recipe.errors import RecipeError
from paribus.recipe.optimizer import SGD, AdamW, Lion, Muon, Optimizer, OwnOptimizer, RMSProp
from paribus.training import eager_optimizers
from paribus.training.eager_optimizers import EagerOptimizer


def make_optimizer(
    optimizer: Optimizer, decayed: nn.Parameter, undecayed: nn.Parameter | None, net: nn.Module | None = None
) -> torch.optim.Optimizer:
    """The optimizer of the vectors `decayed` and `undecayed`, which takes no weight decay.

    Muon and classes from outside, which may look at the shape of a parameter, get those of `net`, which are views of
    the vectors.
    """
    if isinstance(optimizer, (Muon, OwnOptimizer)):
        assert net is not None, "it is told the net"
        groups = _groups_of(net, optimizer, undecayed is not None)
        return MuonAdamW(groups, optimizer) if isinstance(optimizer, Muon) else own_optimizer(groups, optimizer)
    groups = [{"params": [decayed], "weight_decay": optimizer.weight_decay}]
    if undecayed is not None:
        groups.append({"params": [undecayed], "weight_decay": 0.0})
    if isinstance(optimizer, SGD):
        nesterov = optimizer.nesterov and optimizer.momentum > 0
        return eager_optimizers.SGD(groups, lr=optimizer.lr, momentum=optimizer.momentum, nesterov=nesterov, fused=True)
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return eager_optimizers.AdamW(groups, lr=optimizer.lr, betas=betas, eps=optimizer.epsilon, fused=True)
    return SignMomentum(groups, optimizer) if isinstance(optimizer, Lion) else RMSPropTF(groups, optimizer)


def _groups_of(net: nn.Module, optimizer: Optimizer, split: bool) -> list[dict[str, Any]]:
    parameters = list(net.parameters())
    decayed = [each for each in parameters if each.ndim > 1 or not split]
    rest = [each for each in parameters if each.ndim <= 1 and split]
    groups = [{"params": decayed, "weight_decay": optimizer.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def own_optimizer(groups: list[dict[str, Any]], optimizer: OwnOptimizer) -> torch.optim.Optimizer:
    """The optimizer of a class from outside.

    Raises:
        RecipeError: it is no torch.optim.Optimizer, or its step needs a closure, which the loop has not.
    """
    target = load(optimizer.kind, "optimizer")
    if not accepts(target, "weight_decay"):
        groups = [{"params": group["params"]} for group in groups]
    made = call(target, {"params": groups, "lr": optimizer.lr}, optimizer.arguments)
    if not isinstance(made, torch.optim.Optimizer):
        raise RecipeError(f"optimizer {optimizer.kind!r} makes a {type(made).__name__}: derive it from torch.optim's")
    closure = inspect.signature(type(made).step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise RecipeError(
            f"optimizer {optimizer.kind!r} asks for the loss several times a step (its step needs a closure), and "
            "training computes it once: take another"
        )
    return made


def state_names(optimizer: torch.optim.Optimizer) -> tuple[str, ...] | None:
    """What the optimizer keeps of every vector once it has taken a step; None for one of a net's own parameters."""
    if isinstance(optimizer, SignMomentum):
        return ("exp_avg",)
    if type(optimizer) not in (eager_optimizers.SGD, eager_optimizers.AdamW, RMSPropTF):
        return None
    if isinstance(optimizer, eager_optimizers.SGD):
        return ("momentum_buffer",) if optimizer.defaults["momentum"] else ()
    return ("mean_square", "momentum") if isinstance(optimizer, RMSPropTF) else ("step", "exp_avg", "exp_avg_sq")


class RMSPropTF(EagerOptimizer):
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


class SignMomentum(EagerOptimizer):
    """Lion, whose formula its recipe gives; decay is decoupled."""

    def __init__(self, groups: list[dict[str, Any]], optimizer: Lion) -> None:
        super().__init__(groups, {"lr": optimizer.lr, "betas": (optimizer.beta1, optimizer.beta2), "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                assert parameter.grad is not None
                state = self.state[parameter]
                if not state:
                    state["exp_avg"] = torch.zeros_like(parameter)
                (beta1, beta2), average = group["betas"], state["exp_avg"]
                direction = torch.lerp(parameter.grad, average, beta1).sign_()
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"])
                average.lerp_(parameter.grad, 1 - beta2)


class MuonAdamW(EagerOptimizer):
    """Muon for what has two dimensions or more, AdamW for the rest, with one rate; the recipe gives the formula."""

    def __init__(self, groups: list[dict[str, Any]], optimizer: Muon) -> None:
        self.recipe = optimizer
        super().__init__(groups, {"lr": optimizer.lr, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                change = self._turned if parameter.ndim > 1 else self._scaled
                parameter.sub_(change(parameter, self.state[parameter]), alpha=group["lr"])

    def _turned(self, parameter: nn.Parameter, state: dict[str, Any]) -> Tensor:
        assert parameter.grad is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - self.recipe.momentum)
        update = parameter.grad.lerp(momentum, self.recipe.momentum) if self.recipe.nesterov else momentum
        matrix = orthogonalised(update.flatten(1), self.recipe.iterations)
        scale: float = 0.2 * max(matrix.shape) ** 0.5
        return matrix.mul_(scale).view(parameter.shape)

    def _scaled(self, parameter: nn.Parameter, state: dict[str, Any]) -> Tensor:
        assert parameter.grad is not None
        if not state:
            state.update(step=torch.zeros(()), first=torch.zeros_like(parameter), second=torch.zeros_like(parameter))
        beta1, beta2 = self.recipe.beta1, self.recipe.beta2
        step = int(state["step"].add_(1))
        first = state["first"].lerp_(parameter.grad, 1 - beta1)
        second = state["second"].mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
        root: Tensor = second.div(1 - beta2**step).sqrt_().add_(self.recipe.epsilon)
        change: Tensor = first.div(1 - beta1**step).div_(root)
        return change


def orthogonalised(matrix: Tensor, iterations: int) -> Tensor:
    """About the nearest matrix with singular values 1, by Newton-Schulz with Jordan's coefficients; (m, n) kept.

    (https://kellerjordan.github.io/posts/muon: X = a X + (b A + c A^2) X with A = X X^T.)
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (torch.linalg.vector_norm(x) + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    turned: Tensor = x.T.contiguous() if tall else x
    return turned
