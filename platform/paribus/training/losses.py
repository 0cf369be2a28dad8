"""The loss of a recipe: of logits and targets, for a batch or a rank's share of one."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from paribus.recipe import Recipe
from paribus.recipe.components.component import arguments_of, kind_of
from paribus.recipe.components.own import function, is_own
from paribus.recipe.errors import RecipeError
from paribus.training.functional import smoothed_loss

PerExample = Callable[[Tensor, Tensor], Tensor]


class Loss:
    """`loss(logits (N, K), targets)`, a mean in the loss's unit; targets are labels (N,) or probabilities (N, K).

    A user's loss gives one number an example, (N,); it gets labels, or probabilities where labels are smoothed or
    mixed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.smoothing, self.kind = recipe.training.label_smoothing, kind_of(recipe.loss)
        self.per_example = None if self.kind == "cross_entropy" else _per_example(self.kind, arguments_of(recipe.loss))

    def __call__(self, logits: Tensor, targets: Tensor, total: int | None = None) -> Tensor:
        """The mean; where these are a share of `total` rows, what they add to the mean over all of them."""
        if self.per_example is None:
            return smoothed_loss(logits, targets, self.smoothing, total)
        if self.smoothing or not is_own(self.kind):
            targets = probabilities(targets, logits.shape[1], self.smoothing)
        found = self.per_example(logits, targets)
        if not isinstance(found, Tensor) or found.shape != logits.shape[:1]:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise RecipeError(
                f"loss {self.kind!r} gave {shape} of logits {tuple(logits.shape)}: it should give one number an "
                f"example, ({len(logits)},); losses of torch do with reduction='none'"
            )
        return found.mean() if total is None else found.sum() / total


def probabilities(targets: Tensor, num_classes: int, smoothing: float = 0.0) -> Tensor:
    """(N, K) float32 of labels (N,) or of probabilities: `(1 - smoothing) * t + smoothing / K`."""
    if targets.ndim == 1:
        targets = F.one_hot(targets, num_classes).float()
    return targets if smoothing == 0 else targets * (1 - smoothing) + smoothing / num_classes


def focal(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """(N,) in nats; targets (N, K)."""
    log_p = logits.log_softmax(1)
    return -(targets * (1 - log_p.exp()).clamp(min=0).pow(gamma) * log_p).sum(1)


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """(N,) the mean over the classes, in nats; targets (N, K)."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


def _per_example(kind: str, chosen: dict[str, object]) -> PerExample:
    if kind == "focal":
        return partial(focal, **chosen)  # type: ignore[arg-type]
    if kind == "bce":
        return bce
    loss: PerExample = function(kind, "loss", chosen, "logits")
    if isinstance(loss, nn.Module) and any(True for _ in loss.parameters()):
        raise RecipeError(f"loss {kind!r} has parameters of its own, which no optimizer would train: leave them out")
    return loss
