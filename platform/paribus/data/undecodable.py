"""The training samples that do not decode: which were met, and whether they are too many."""

from collections.abc import Iterable, Sequence

from paribus.data.order import Order
from paribus.errors import DataError

_NAMED = 5


class Undecodable:
    """Counts the samples of `order`, of the set called `name`, that did not decode; a `share` of them may."""

    def __init__(self, order: Order, name: str, share: float) -> None:
        self._order, self._name, self._share = order, name, share
        self._met: set[int] = set()

    @property
    def keys(self) -> list[str]:
        """Those met so far, in the order of the index."""
        return [self._order.index.keys[row] for row in sorted(self._met)]

    def add(self, rows: Iterable[int]) -> None:
        """These did not decode either."""
        self._met.update(rows)

    def before(self, order_seed: int, epoch: int, step: int) -> list[str]:
        """The samples of the epoch's steps before `step` that did not decode when the shards were made: a trial that
        resumes there fails where one that never stopped does."""
        order = self._order
        broken = order.index.rows["height"] == 0
        if step == 0 or not broken[order.chosen].any():
            return []
        before = order.epoch(order_seed, epoch)[: step * order.batch_size]
        return [order.index.keys[row] for row in before[broken[before]].tolist()]

    def check(self, met: Sequence[str], left: int) -> None:
        """Raise DataError where `met`, those of an epoch so far, are too many, or none of a batch is `left`."""
        # Counted epoch by epoch, so that whether a trial fails does not depend on what the feed served before.
        num = len(self._order.chosen)
        allowed = self._share * num
        if len(met) > allowed:
            raise DataError(told(met, self._name, f"data.max_undecodable allows {int(allowed)} of {num}"))
        if not left:
            raise DataError(told(met, self._name, "nothing is left of their batch"))


def told(keys: Sequence[str], name: str, limit: str) -> str:
    """That the samples `keys` of the set `name` do not decode, and what the `limit` is."""
    names = ", ".join(keys[:_NAMED])
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{len(keys)} samples of {name} do not decode ({names}{more}): {limit}"
