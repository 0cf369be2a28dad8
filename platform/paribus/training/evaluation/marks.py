"""What scores come to, per example: the one place where top-1, top-5 and ties are decided."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from paribus.metrics.examples import Examples


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The columns of `Examples` as tensors of (n,)."""

    label: Tensor
    predicted: Tensor
    correct: Tensor
    among5: Tensor
    log_likelihood: Tensor
    top_probability: Tensor
    brier: Tensor

    @classmethod
    def of(cls, scores: Tensor, probabilities: Tensor, log_likelihood: Tensor, labels: Tensor) -> "Marks":
        """Of (n, K) scores that order the classes, their (n, K) probabilities, and (n,) nats of the label.

        Of equal scores the class of lower number comes first, so that a net with constant scores is no better than
        chance, in top-1 as in top-5.
        """
        own = labels[:, None]
        score = scores.gather(1, own)
        classes = torch.arange(scores.shape[1], device=scores.device)
        before = (scores > score) | ((scores == score) & (classes < own))
        predicted = scores.argmax(1)
        off_by = probabilities - (classes == own).to(probabilities.dtype)
        return cls(
            label=labels,
            predicted=predicted,
            correct=predicted == labels,
            among5=before.sum(1) < 5,
            log_likelihood=log_likelihood,
            top_probability=probabilities.gather(1, predicted[:, None]).squeeze(1),
            brier=off_by.square().sum(1),
        )

    @classmethod
    def joined(cls, parts: Sequence["Marks"]) -> "Marks":
        """One after the other, on the CPU."""
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]).cpu() for name in _NAMES})

    def taken(self, order: list[int]) -> "Marks":
        """The samples in another order."""
        return Marks(**{name: getattr(self, name)[order] for name in _NAMES})

    def examples(self, keys: Sequence[str]) -> Examples:
        """As arrays, with the keys; class numbers in 32 bits."""
        columns = {name: getattr(self, name) for name in _NAMES}
        columns |= {name: columns[name].to(torch.int32) for name in ("label", "predicted")}
        return Examples(keys=keys, **{name: column.cpu().numpy() for name, column in columns.items()})


_NAMES = tuple(field.name for field in fields(Marks))
