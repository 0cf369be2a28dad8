"""How parameters follow their gradients."""

from typing import Annotated, Literal

from pydantic import Field

from paribus.recipe.part import Part


class _Optimizer(Part):
    lr: float = Field(0.1, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    decay_norms_and_biases: bool = True


class SGD(_Optimizer):
    """Stochastic gradient descent with (Nesterov) momentum; weight decay is added to the gradient (WRN, section 3)."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True


class RMSProp(_Optimizer):
    """RMSProp with TensorFlow's semantics: epsilon inside the root, mean square starting at 1.

    `s = decay s + (1 - decay) g^2;  m = momentum m + lr g / sqrt(s + epsilon);  w = w - m`
    (Inception-v3, section 8, and Inception-v4, section 4: decay 0.9, epsilon 1.0).
    """

    kind: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(0.045, gt=0)
    decay: float = Field(0.9, ge=0, lt=1)
    momentum: float = Field(0.0, ge=0, lt=1)
    epsilon: float = Field(1.0, gt=0)


class AdamW(_Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)


Optimizer = Annotated[SGD | RMSProp | AdamW, Field(discriminator="kind")]
