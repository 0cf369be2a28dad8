"""A net held on one linear piece: which side of each ReLU, and which pixel of each max pool, is decided once.

Rounding turns a ReLU or a max pool at a near-tie to the other side, and a gradient then differs by thousandths though
every kernel is right to the last digits. Which ones turn is up to the processor: held, there is nothing left to turn.
"""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F


class Pieces:
    """Stands for `F.relu` and `F.max_pool2d`: decides in the first pass, and has every later one decide the same.

    Raises:
        AssertionError: a later pass would have decided otherwise, and not at a tie within `tie` of the inputs' largest.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tie: float = 1e-4) -> None:
        self._tie, self._decided, self._at = tie, list[Tensor](), 0
        monkeypatch.setattr(F, "relu", self._relu)
        monkeypatch.setattr(F, "max_pool2d", self._max_pool)

    def rewind(self) -> None:
        """Say that the next pass begins."""
        self._at = 0

    def _decide(self, decision: Tensor) -> Tensor:
        if self._at == len(self._decided):
            self._decided.append(decision)
        self._at += 1
        return self._decided[self._at - 1]

    def _relu(self, x: Tensor, inplace: bool = False) -> Tensor:
        kept = self._decide(x > 0)
        turned = x.detach()[kept != (x > 0)]
        assert not turned.numel() or turned.abs().max() < self._tie * x.abs().max(), "a ReLU turned, and not at a tie"
        return torch.where(kept, x, 0)

    def _max_pool(self, x: Tensor, *args: object, **options: object) -> Tensor:
        options.pop("return_indices", None)
        largest, own = F.max_pool2d_with_indices(x, *args, **options)  # type: ignore[arg-type]
        chosen = self._decide(own)
        held = x.flatten(2).gather(2, chosen.flatten(2)).view_as(chosen)
        assert (largest - held).abs().max() <= self._tie * x.abs().max(), "a max pool turned, and not at a tie"
        return held
