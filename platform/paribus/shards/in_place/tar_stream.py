"""A tar read once from front to back: its samples as WebDataset groups them, and the SHA-256 of all its bytes."""

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import IO, cast

from paribus.errors import DataError
from paribus.shards.in_place.found import compressed_text

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20
_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A file of a sample: the place of its bytes in the shard, and the bytes where they were wanted."""

    offset: int
    length: int
    data: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What WebDataset gives for one key: files by suffix, lower-case, all that follows the first dot of their names."""

    key: str
    parts: dict[str, Part]
    repeated: str | None = None


class Forward:
    """A file that is read forward alone, out of pieces; hashes what passes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece, self._at = pieces, b"", 0
        self.hash, self.length, self.last = sha256(), 0, b""

    def tell(self) -> int:
        return self.length

    def seek(self, place: int, whence: int = 0) -> int:
        if whence or place < self.length:
            raise OSError("what has passed is gone")
        while self.length < place and self._more():
            step = min(len(self._piece) - self._at, place - self.length)
            self._at += step
            self.length += step
        return self.length

    def read(self, num: int) -> bytes:
        taken = bytearray()
        while len(taken) < num:
            if not self._more():
                break
            part = self._piece[self._at : self._at + num - len(taken)]
            self._at += len(part)
            taken += part
        self.length += len(taken)
        self.last = bytes(taken)
        return self.last

    def _more(self) -> bool:
        """Whether there is something to read; takes the next piece where one is spent."""
        if self._at == len(self._piece):
            self._piece, self._at = next(self._pieces, b""), 0
            self.hash.update(self._piece)
        return bool(self._piece)


def read_samples(name: str, stream: Forward, wanted: Callable[[str], bool]) -> Iterator[Sample]:
    """The samples of the tar `name`; the bytes of those files alone whose suffix is `wanted`.

    Raises:
        DataError: no tar, or one that is cut, damaged or compressed; it names the last file that is whole.
    """
    split = ((*split_name(member_name), part) for member_name, part in _members(name, stream, wanted))
    named = ((key, suffix.lower(), part) for key, suffix, part in split if key is not None)
    for key, group in groupby(named, key=lambda each: each[0]):
        parts: dict[str, Part] = {}
        repeated = None
        for _, suffix, part in group:
            repeated = suffix if suffix in parts else repeated
            parts[suffix] = part
        yield Sample(key=key.removeprefix("./"), parts=parts, repeated=repeated)


def split_name(name: str) -> tuple[str | None, str]:
    """Key and suffix of a file's name, as WebDataset's `base_plus_ext` splits it (which brings torch)."""
    found = _NAME.fullmatch(name)
    return (None, "") if found is None else (found[1], found[2])


def drain(name: str, stream: Forward) -> None:
    """Read to the end, for the hash; DataError where files follow behind the end of the tar."""
    while piece := stream.read(_PIECE):
        if piece.count(0) != len(piece):
            raise DataError(
                f"{name} goes on behind its end, at byte {stream.length - len(piece):,}: readers of tars, WebDataset "
                "too, stop there and leave out the rest. If two tars were put together, unpack and pack them as one"
            )


def _members(name: str, stream: Forward, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Part]]:
    last = "its start"
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as tar:
            while (info := tar.next()) is not None:
                # Kept by tarfile for looking back, which nobody does: a million are a gigabyte.
                tar.members = []  # type: ignore[attr-defined]
                last = repr(info.name)
                if info.issparse():
                    raise DataError(f"{name}: {info.name} is stored with holes: pack the tar without --sparse")
                if not info.isfile() or is_meta(info.name):
                    continue
                data = None
                if wanted(split_name(info.name)[1].lower()):
                    stream.seek(info.offset_data)
                    data = stream.read(info.size)
                    if len(data) < info.size:
                        raise tarfile.ReadError("unexpected end of data")
                yield info.name, Part(offset=info.offset_data, length=info.size, data=data)
    except tarfile.TarError as error:
        if stream.length <= tarfile.RECORDSIZE and stream.last.startswith(_GZIP):
            raise DataError(compressed_text(name)) from None
        raise DataError(f"{name} is no whole tar ({error}, after {last}): copy it again") from None
    # tarfile takes a header that it cannot read for the end.
    if any(stream.last):
        raise DataError(f"{name} is damaged after {last}: copy it again")


def is_meta(name: str) -> bool:
    """Whether a file is no part of a sample: WebDataset keeps notes of its own under such names."""
    first = name.split("/")[0]
    return len(first) > 4 and first.startswith("__") and first.endswith("__")
