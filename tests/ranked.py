"""What two ranks do together: a test that is the first, and beside it a process that is the second."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from paribus.data import DataError, open_feed
from paribus.recipe import Recipe
from paribus.training.ranks.group import Ranks, group, meeting_place
from paribus.training.ranks.sync_batch_norm import sync_batch_norms

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Case:
    """A batch of `num` rows of which the first rank has the first `own`."""

    num: int
    own: int
    map_shape: tuple[int, ...] = (4, 3)
    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.contiguous_format

    def values(self, seed: int, apart: float = 0.0) -> Tensor:
        """(num, 5, *map_shape), normal, the means of its channels `apart`."""
        drawn = torch.randn(self.num, 5, *self.map_shape, generator=torch.Generator().manual_seed(seed))
        drawn += torch.arange(5.0).mul(apart).view(5, *[1] * len(self.map_shape))
        drawn = drawn.to(self.dtype)
        return drawn.contiguous(memory_format=self.memory_format) if self.map_shape else drawn

    def norm(self) -> nn.Sequential:
        """A batch norm whose state is not where one starts."""
        norm = nn.BatchNorm2d(5) if self.map_shape else nn.BatchNorm1d(5)
        with torch.no_grad():
            for number, tensor in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
                assert tensor is not None
                tensor.copy_(torch.linspace(0.5, 1.5 + number, 5))
        return nn.Sequential(norm)


CASES = {
    "even": Case(8, 4),
    "uneven": Case(7, 2),
    "one rank without any": Case(6, 0),
    "channels last": Case(7, 3, memory_format=torch.channels_last),
    "bfloat16": Case(8, 3, dtype=torch.bfloat16),
    "no map": Case(7, 3, map_shape=()),
}


@dataclass(frozen=True)
class Normed:
    """What a norm did to rows, forward and backward, and what became of it."""

    output: Tensor
    grad: Tensor
    parameters: list[Tensor]
    buffers: list[Tensor]
    evaluated: Tensor


def normed(case: Case, net: nn.Sequential, rows: slice) -> Normed:
    """`net` on these rows of the case's batch."""
    x = case.values(1, apart=2.0)[rows].requires_grad_()
    output = net(x)
    output.backward(case.values(2)[rows])
    assert x.grad is not None
    grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    buffers = [buffer.clone() for buffer in net.buffers()]
    return Normed(output.detach(), x.grad, grads, buffers, net.eval()(x).detach())


def normed_together(ranks: Ranks) -> dict[str, list[Normed]]:
    """Every case, by each rank on its share; gradients of parameters are summed as the train state does."""
    found = {}
    for name, case in CASES.items():
        net = case.norm()
        sync_batch_norms(net, ranks)
        mine = normed(case, net, slice(0, case.own) if ranks.rank == 0 else slice(case.own, case.num))
        for grad in mine.parameters:
            ranks.add(grad)
        found[name] = ranks.exchange(mine)
    return found


def joined_until_refused(ranks: Ranks, shards: Path) -> tuple[str, list[list[str]]]:
    """Read an epoch of which one sample may fail to decode: what is said of the second, and the batches before."""
    changes = {"data.shards": str(shards), "data.batch_size": 4, "data.max_undecodable": 1.5 / 64}
    feed = open_feed(Recipe().replace(changes), shards / "home", rank=ranks.rank, world_size=ranks.size)
    seen: list[list[str]] = []
    try:
        seen.extend(list(batch.keys) for batch in ranks.joined(feed, feed.batches(1, 2, 0)))
    except DataError as error:
        return str(error), seen
    return "", seen


@contextmanager
def beside(shards: Path) -> Iterator[Ranks]:
    """This process as the first of two ranks."""
    place = shards.parent / "meeting place"
    store = meeting_place(place, 2, PATIENCE_S)
    # Not as a script, whose classes would be those of __main__ and strangers to this process.
    code = f"import ranked; ranked.be_second({str(place)!r}, {str(shards)!r})"
    other = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent)
    try:
        with group(store, 0, 2, cuda=False, patience_s=PATIENCE_S):
            yield Ranks(0, 2)
        assert other.wait(30) == 0
    finally:
        other.kill()
        other.wait()


def be_second(place: str, shards: str) -> None:
    """The other rank."""
    torch.set_num_threads(1)
    store = meeting_place(Path(place), 2, PATIENCE_S)
    with group(store, 1, 2, cuda=False, patience_s=PATIENCE_S):
        normed_together(Ranks(1, 2))
        joined_until_refused(Ranks(1, 2), Path(shards))
