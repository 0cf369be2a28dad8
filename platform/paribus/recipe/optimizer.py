"""How parameters follow their gradients."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from paribus.recipe.components.component import OWN, WithArguments, checked, tag_of
from paribus.recipe.components.own import accepts, canonical, is_own, load
from paribus.recipe.components.recorded import is_recorded, taken
from paribus.recipe.part import Part


class _Optimizer(Part):
    """What every one has; `decay_norms_and_biases` says whether weight decay acts on norms and biases too."""

    lr: float = Field(0.1, gt=0, description="learning rate, which the schedule multiplies")
    weight_decay: float = Field(5e-4, ge=0, description="pull of the weights towards 0")
    decay_norms_and_biases: bool = True


class SGD(_Optimizer):
    """Stochastic gradient descent with `momentum`, Nesterov's where `nesterov` is true (WRN, section 3).

    Weight decay is added to the gradient.
    """

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step that is kept")
    nesterov: bool = True


class RMSProp(_Optimizer):
    """RMSProp with TensorFlow's semantics: epsilon inside the root, mean square starting at 1.

    `s = decay s + (1 - decay) g^2;  m = momentum m + lr g / sqrt(s + epsilon);  w = w - m`
    (Inception-v3, section 8, and Inception-v4, section 4: decay 0.9, epsilon 1.0).
    """

    kind: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(0.045, gt=0, description="learning rate, which the schedule multiplies")
    decay: float = Field(0.9, ge=0, lt=1, description="of the mean of squared gradients")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step that is kept")
    epsilon: float = Field(1.0, gt=0, description="added inside the root of the mean square")


class AdamW(_Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0, description="learning rate, which the schedule multiplies")
    weight_decay: float = Field(0.05, ge=0, description="pull of the weights towards 0")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(
        0.999, ge=0, lt=1, description="decay of the mean that is kept of squares, by Lion of gradients"
    )
    epsilon: float = Field(1e-8, gt=0, description="added to the root of the mean square")


class Lion(_Optimizer):
    """`w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w);  m = beta2 m + (1 - beta2) g` (Chen et al. 2023, arXiv
    2302.06675, algorithm 2); its rate is 3 to 10 times smaller than AdamW's, its decay as many times larger."""

    kind: Literal["lion"] = "lion"
    lr: float = Field(1e-4, gt=0, description="learning rate, which the schedule multiplies")
    weight_decay: float = Field(0.5, ge=0, description="pull of the weights towards 0")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(
        0.99, ge=0, lt=1, description="decay of the mean that is kept of squares, by Lion of gradients"
    )


class Muon(_Optimizer):
    """`momentum` (Nesterov's where `nesterov` is true) orthogonalised by `iterations` of Newton-Schulz (Jordan et al.
    2024), for what has two dimensions or more, a conv as (out, in * height * width). What has fewer follows AdamW with
    `beta1`, `beta2` and `epsilon`.

    A step is scaled by `0.2 sqrt(max(rows, columns))`, so that one rate and decay serve both (Liu et al. 2025, arXiv
    2502.16982, section 2.2).
    """

    kind: Literal["muon"] = "muon"
    lr: float = Field(1e-3, gt=0, description="learning rate, which the schedule multiplies")
    weight_decay: float = Field(0.05, ge=0, description="pull of the weights towards 0")
    momentum: float = Field(0.95, ge=0, lt=1, description="share of the last step that is kept")
    nesterov: bool = True
    iterations: int = Field(5, ge=1, le=20)
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(
        0.95, ge=0, lt=1, description="decay of the mean that is kept of squares, by Lion of gradients"
    )
    epsilon: float = Field(1e-8, gt=0, description="added to the root of the mean square")


class OwnOptimizer(_Optimizer, WithArguments):
    """A class with the interface of torch.optim's, `"torch:NAdam"` or `"my_parts:Sophia"`; its arguments are further
    fields. `lr` is set at every step as the schedule says; `weight_decay` and `lr` have the class's own defaults.
    """

    own_place: ClassVar[str] = "optimizer"

    kind: str
    lr: float = Field(1e-3, gt=0, description="learning rate, which the schedule multiplies")
    weight_decay: float = Field(0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _of_its_class(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not is_own(value.get("kind")):
            return value
        kind = canonical(value["kind"], "optimizer")
        target, whose = None if is_recorded() else load(kind, "optimizer"), f"optimizer {kind!r}"
        if target is not None and not (accepts(target, "params") and accepts(target, "lr")):
            raise ValueError(f"{whose} should take params and lr, as the classes of torch.optim do")
        chosen = {name: each for name, each in value.items() if name not in ("kind", "decay_norms_and_biases")}
        decays = target is None or accepts(target, "weight_decay")
        if not decays and chosen.pop("weight_decay", 0) != 0:
            raise ValueError(f"{whose} has no weight_decay: set optimizer.weight_decay to 0, or leave it out")
        given = {"kind": kind, **checked(taken(kind, "optimizer", frozenset({"params"})), chosen, whose)}
        if "decay_norms_and_biases" in value:
            given["decay_norms_and_biases"] = value["decay_norms_and_biases"]
        return given if decays else given | {"weight_decay": 0.0}


Optimizer = Annotated[
    Annotated[SGD, Tag("sgd")]
    | Annotated[RMSProp, Tag("rmsprop")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[Lion, Tag("lion")]
    | Annotated[Muon, Tag("muon")]
    | Annotated[OwnOptimizer, Tag(OWN)],
    Discriminator(tag_of),
]
