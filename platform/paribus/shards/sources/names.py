"""Many names in little memory: a million Python strings cost 80 MiB, their bytes a third of that."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Names(Sequence[str]):
    """An immutable sequence of strings in one buffer; what is taken from it by rows is packed again."""

    def __init__(self, names: Iterable[str]) -> None:
        # Files' names need not be UTF-8; Python holds what is not as surrogates.
        self._buffer, self._ends = _packed(name.encode("utf-8", "surrogateescape") for name in names)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> "Names": ...
    def __getitem__(self, row: int | slice) -> "str | Names":
        if isinstance(row, slice):
            return self.take(np.arange(len(self))[row])
        row = range(len(self))[row]
        return self._buffer[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends[1:].tolist():
            yield self._buffer[start:end].decode("utf-8", "surrogateescape")
            start = end

    def take(self, rows: NDArray[np.int64]) -> "Names":
        """The names of `rows`, in their order."""
        taken = Names(())
        buffer = self._buffer
        spans = zip(self._ends[rows].tolist(), self._ends[rows + 1].tolist(), strict=True)
        taken._buffer, taken._ends = _packed(buffer[start:end] for start, end in spans)
        return taken


def _packed(parts: Iterable[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    """The parts end to end, and the place where each starts and the last one ends."""
    buffer, ends = bytearray(), array("q", [0])
    for part in parts:
        buffer += part
        ends.append(len(buffer))
    return bytes(buffer), np.frombuffer(ends, np.int64)
