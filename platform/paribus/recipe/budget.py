"""How long a trial trains, and everything else about the run that is neither model nor data."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.part import Part, added, bookkeeping

Unit = Literal["epochs", "steps", "examples"]


class Budget(Part):
    """A length of training; `Budget.model_validate("6 epochs")` and `--set budget="100 steps"` read it from text.

    A number alone means epochs. `unit` is that of `amount`.

    Raises:
        ValueError: no positive amount, or a unit other than epochs, steps or examples.
    """

    amount: float = Field(6.0, gt=0, description="how long a trial trains, in `unit`")
    unit: Unit = "epochs"

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return {"amount": value, "unit": "epochs"}
        if not isinstance(value, str):
            return value
        amount, _, unit = value.strip().partition(" ")
        try:
            return {"amount": float(amount), "unit": unit.strip() or "epochs"}
        except ValueError:
            raise ValueError("is no budget: write an amount and a unit, such as '6 epochs' or '100 steps'") from None

    def num_steps(self, num_train: int, batch_size: int) -> int:
        """Optimizer steps of the whole budget, at least 1; an epoch is `num_train // batch_size` steps."""
        per_epoch = num_train // batch_size
        steps = {
            "epochs": self.amount * per_epoch,
            "steps": self.amount,
            "examples": self.amount / batch_size,
        }
        return max(1, round(steps[self.unit]))


class Training(Part):
    """Regularisers of the loop, and the loss above which a run counts as diverged."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Inception-v3, section 7")
    ema_decay: float | None = Field(None, gt=0, lt=1, description="per step; the averaged weights are evaluated")
    clip_norm: float | None = Field(
        None, gt=0, description="global L2 norm of the gradient (Inception-v3, section 8: 2.0)"
    )
    divergence_loss: float = Field(
        1e3, gt=0, description="a training loss above this, or one not finite, is divergence"
    )


class Evaluation(Part):
    """When the evaluation split is read; the last epoch is always evaluated.

    `keep_weights` keeps what a finished trial was evaluated with in the ledger, so that `paribus evaluate` can ask it
    again: 4 bytes a parameter.
    """

    every_epochs: int = Field(1, ge=1, description="epochs from one evaluation to the next")
    keep_weights: bool = bookkeeping(True)


class Numerics(Part):
    """How numbers are held and computed.

    `precision` is that of the forward and backward pass, the weights stay in float32: `tf32` multiplies fractions of 10
    bits on a GPU, `float16` scales the loss so that small gradients are not lost, and leaves out the steps in which
    large ones are. `channels_last` holds maps as (N, H, W, C), which is faster on GPUs and many CPUs. `compile` has
    torch.compile fuse the net, which takes a minute. `deterministic` is of GPUs: a trial trained twice gives the same
    bits, by algorithms that may be slower.
    """

    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    deterministic: bool = added(True, description="on a GPU the same bits each time; on a CPU they always are")


class Resources(Part):
    """What one trial asks of one node: threads and CPUs, and a share of a GPU or several whole ones.

    `ranks` processes share each batch, one for each whole GPU (None, and nothing else where there are GPUs). They make
    a trial faster and change no result beyond rounding.
    """

    cpus: float = bookkeeping(1.0, gt=0, description="of a trial, and the threads of torch")
    gpus: float = bookkeeping(0.0, ge=0, description="of a trial: a share of one, whole ones, or 0 for none")
    ranks: int | None = bookkeeping(None, ge=1)

    @property
    def num_ranks(self) -> int:
        """Processes that train the trial together."""
        return self.ranks or max(1, int(self.gpus))

    @model_validator(mode="after")
    def _a_gpu_for_each_rank(self) -> Self:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus = {self.gpus:g}: a trial takes a share of one GPU, or whole ones")
        if self.gpus > 0 and self.num_ranks != max(1, int(self.gpus)):
            raise ValueError(
                f"ranks = {self.ranks} does not fit gpus = {self.gpus:g}: leave ranks out, one for each GPU"
            )
        return self
