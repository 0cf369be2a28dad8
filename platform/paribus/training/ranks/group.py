"""The ranks of a trial: processes with a device each, which share every batch and together do what one would do.

Every rank runs the whole loop with the same counters, and whatever decides anything (loss, norm, evaluation, when to
save) is a sum over all of them, so that all decide the same at the same step. Rank 0 is the caller's own process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.distributed_c10d import Store

from paribus.models.dropout import Rows
from paribus.training.errors import RankLostError, TrainingError
from paribus.training.feed_protocol import Batch, Feed, SharedBatch, SharedFeed

T = TypeVar("T")
# How long the ranks wait for one that still lives, such as one that waits for a slow store.
PATIENCE_S = 600.0


class Joined(NamedTuple):
    """A rank's own share of a batch; the `keys` of the whole batch, and which of its `rows` are the share's."""

    own: Batch
    keys: Sequence[str]
    rows: Rows | None  # None: all


@dataclass(frozen=True)
class Ranks:
    """This process among `size`; `ready` returns once all may begin the next epoch."""

    rank: int = 0
    size: int = 1
    ready: Callable[[], object] = lambda: None

    def add(self, tensor: Tensor) -> None:
        """Replace `tensor` by its sum over the ranks: the same bits on all of them."""
        if self.size > 1:
            with _together():
                dist.all_reduce(tensor)

    def gather(self, tensor: Tensor) -> Tensor:
        """(size, *shape): the rows are the ranks' tensors."""
        if self.size == 1:
            return tensor[None]
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        with _together():
            dist.all_gather(found, tensor)
        return torch.stack(found)

    def exchange(self, mine: T) -> list[T]:
        """What each rank has, in the order of ranks; any object that can be pickled."""
        if self.size == 1:
            return [mine]
        found: list[T | None] = [None] * self.size
        with _together():
            dist.all_gather_object(found, mine)
        return cast(list[T], found)

    def first(self, flag: bool) -> bool:
        """The `flag` of rank 0."""
        if self.size == 1:
            return flag
        told = torch.tensor(int(flag))
        with _together():
            dist.broadcast(told, 0)
        return bool(told)

    def agree(self, what: str, mine: object) -> None:
        """TrainingError unless `mine` is the same on all ranks."""
        found = self.exchange(mine)
        if any(other != found[0] for other in found):
            told = "; ".join(f"rank {rank}: {other}" for rank, other in enumerate(found))
            raise TrainingError(f"the ranks of this trial differ in {what} ({told}): do all read the same folders?")

    def joined(self, feed: Feed, batches: Iterator[Batch]) -> Iterator[Joined]:
        """This rank's batches, with what is to be known of the others' shares."""
        if self.size == 1:
            for batch in batches:
                yield Joined(batch, batch.keys, None)
            return
        met: list[str] = []
        for shared in cast(Iterator[SharedBatch], batches):
            everyone = self.exchange((list(shared.keys), list(shared.undecodable)))
            keys = [key for share, _ in everyone for key in share]
            met += [key for _, undecodable in everyone for key in undecodable]
            cast(SharedFeed, feed).check_undecodable(met, len(keys))
            first = sum(len(share) for share, _ in everyone[: self.rank])
            yield Joined(shared, keys, Rows(first, len(keys)))


ALONE = Ranks()


def meeting_place(file: Path, size: int, patience_s: float) -> Store:
    """Where ranks find each other: a file that all can write, since all are on one machine, and no port."""
    store: Store = dist.FileStore(str(file), size)  # type: ignore[attr-defined]
    store.set_timeout(timedelta(seconds=patience_s))
    return store


@contextmanager
def group(store: Store, rank: int, size: int, *, cuda: bool, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Within the block the ranks can talk: about what is on the host through gloo, on GPUs through NCCL.

    Raises:
        TrainingError: this process is in a process group already.
        RankLostError: not all ranks came.
    """
    if dist.is_initialized():
        raise TrainingError(
            "this process is in a torch.distributed group already, and a trial on several ranks needs its own: end it "
            "with torch.distributed.destroy_process_group(), or train with resources.ranks=1"
        )
    backend = "cpu:gloo,cuda:nccl" if cuda else "cpu:gloo"
    with _together():
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timedelta(seconds=patience_s))
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    # torch raises plain RuntimeErrors where a peer has gone; what a lost rank means is known to whoever started it.
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RankLostError(f"a rank of this trial does not answer: {error}") from error
