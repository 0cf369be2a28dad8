"""What reader and clients say to each other: one message a packet, over a socket of the node's own kernel.

A client sends `Attach`, `Release`, `Wait`, `At` and `Leave`; the reader sends `Grant`, `Alone` and `Busy`.
"""

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paribus.data.sharing.memory import Shape
from paribus.images.decode import Pixels

MAX_PACKET = 1 << 16


class Drawn(Protocol):
    """One batch, whose pixels lie where `allocate` said: rows of the samples that decoded (n,) and did not (m,)."""

    @property
    def positions(self) -> NDArray[np.int32]: ...
    @property
    def undecodable(self) -> NDArray[np.int32]: ...


@dataclass(frozen=True)
class Handed:
    """A batch from the reader: rows as `Drawn`, `images` (n, H, W, C) uint8 in memory that all clients read."""

    images: Pixels
    positions: NDArray[np.int32]
    undecodable: NDArray[np.int32]


class Source(Protocol):
    """What the reader draws from; a `Feed` is one."""

    def pixels(
        self,
        order_seed: int,
        augment_seed: int,
        epoch: int,
        start_step: int = 0,
        allocate: Callable[[int], Pixels] | None = None,
    ) -> Iterator[Drawn]:
        """The batches of `epoch` from `start_step` on, written into the first rows of what `allocate(step)` gives."""
        ...


@dataclass(frozen=True)
class Stream:
    """What clients must have in common to share.

    `identity` hashes what the pixels follow from, apart from the seeds; `spec` is what a reader opens them from, and
    may differ between clients (another copy of the same shards). `shape` is a whole batch's, (B, H, W, C).
    """

    identity: str
    spec: str
    steps_per_epoch: int
    shape: Shape


@dataclass(frozen=True)
class Attach:
    """Serve me this stream from (epoch, step) to the end of the epoch; `ticket` numbers what I ask for."""

    ticket: int
    stream: Stream
    order_seed: int
    augment_seed: int
    epoch: int
    step: int


@dataclass(frozen=True)
class Release:
    """Nothing of mine refers to this slot any more."""

    slot: int


@dataclass(frozen=True)
class Wait:
    """I have nothing to train on, and take this step next."""

    epoch: int
    step: int


@dataclass(frozen=True)
class At:
    """I am alone, and take this step next."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Leave:
    """I go on alone or end."""


@dataclass(frozen=True)
class Grant:
    """A batch lies in `slot`: `num` samples, and after their rows those of `num_undecodable` more."""

    ticket: int
    epoch: int
    step: int
    slot: int
    num: int
    num_undecodable: int


@dataclass(frozen=True)
class Alone:
    """Go on alone after what was granted; `fault`: sharing itself failed, and a person should know."""

    ticket: int
    fault: bool
    reason: str


@dataclass(frozen=True)
class Busy:
    """I am at it."""


Message: TypeAlias = Attach | Release | Wait | At | Leave | Grant | Alone | Busy
_FIXED: dict[
    bytes, tuple[type[Release] | type[Wait] | type[At] | type[Leave] | type[Grant] | type[Busy], struct.Struct]
] = {
    b"R": (Release, struct.Struct("<q")),
    b"W": (Wait, struct.Struct("<qq")),
    b"P": (At, struct.Struct("<qq")),
    b"L": (Leave, struct.Struct("<")),
    b"G": (Grant, struct.Struct("<qqqqqq")),
    b".": (Busy, struct.Struct("<")),
}
_KINDS = {message: (kind, packing) for kind, (message, packing) in _FIXED.items()}


def pack(message: Message) -> bytes:
    """The packet of a message."""
    if isinstance(message, Attach):
        return b"A" + json.dumps(asdict(message)).encode()
    if isinstance(message, Alone):
        return b"X" + json.dumps(asdict(message)).encode()
    kind, packing = _KINDS[type(message)]
    return kind + packing.pack(*vars(message).values())


def unpack(packet: bytes) -> Message:
    """The message of a packet.

    Raises:
        ValueError: it is none.
    """
    kind, body = packet[:1], packet[1:]
    try:
        if kind == b"A":
            found = json.loads(body)
            stream = found.pop("stream")
            return Attach(stream=Stream(**{**stream, "shape": tuple(stream["shape"])}), **found)
        if kind == b"X":
            return Alone(**json.loads(body))
        message, packing = _FIXED[kind]
        return message(*packing.unpack(body))
    except (KeyError, TypeError, ValueError, RecursionError, struct.error):
        raise ValueError(f"{packet[:40]!r} is no message") from None


def listen(address: str) -> socket.socket:
    """A socket for clients, under a name that is no file and ends with its process."""
    listener = _socket()
    listener.bind(_name(address))
    listener.listen(128)
    listener.setblocking(False)
    return listener


def connect(address: str) -> socket.socket:
    """A connection to the reader at `address`.

    Raises:
        OSError: there is none, or it belongs to another user.
    """
    connection = _socket()
    try:
        connection.connect(_name(address))
        if owner(connection) != os.getuid():
            raise PermissionError(f"the reader at {address} belongs to another user")
    except OSError:
        connection.close()
        raise
    connection.setblocking(False)
    return connection


def owner(connection: socket.socket) -> int:
    """The user id of the process at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _socket() -> socket.socket:
    # Packets, so that a message comes whole or not at all, and a killed process is a closed connection at once.
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _name(address: str) -> bytes:
    return b"\0" + address.encode()
