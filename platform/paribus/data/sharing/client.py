"""A trial's side of the shared feed: batches as they come from the reader, for as long as it serves this trial."""

import select
import socket
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass

from paribus.data.sharing.memory import Window
from paribus.data.sharing.protocol import (
    MAX_PACKET,
    Alone,
    At,
    Attach,
    Busy,
    Grant,
    Handed,
    Leave,
    Message,
    Release,
    Stream,
    Wait,
    connect,
    pack,
    unpack,
)
from paribus.data.sharing.ring import CREDIT

# The reader gives a sign of life every second to those who wait.
SILENCE_S = 10.0


@dataclass(frozen=True)
class Parting:
    """From which step on, and why, a trial went on alone; `fault`: sharing itself failed, and a person should know."""

    epoch: int
    step: int
    fault: bool
    reason: str


class Client:
    """One trial's connection to the reader at the address that `address()` gives; asked again for every epoch.

    Nothing here raises because of the reader: whatever becomes of it, `pixels` ends early and the trial goes on alone.
    `partings` says when and why, `num_shared` counts the batches that came from the reader.
    """

    def __init__(self, stream: Stream, address: Callable[[], str], *, silence_s: float = SILENCE_S) -> None:
        self._stream, self._address, self._silence_s = stream, address, silence_s
        self._connection: socket.socket | None = None
        self._windows: dict[int, Window] = {}
        self._leased: set[int] = set()
        self._ticket = 0
        self._next: tuple[int, int, int, int] | None = None
        self.partings: list[Parting] = []
        self.num_shared = 0

    def pixels(self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0) -> Generator[Handed]:
        """The batches of `epoch` from `start_step` on, as far as the reader serves them, to the epoch's end at best.

        The pixels stay as they are for as long as anything refers to them.
        """
        step, steps = start_step, self._stream.steps_per_epoch
        ticket = self._attach(order_seed, augment_seed, epoch, step)
        handed = None
        try:
            while self._connection is not None and step < steps:
                handed = self._take(ticket, epoch, step)
                if handed is None:
                    return
                step += 1
                self._next = (order_seed, augment_seed, *divmod(epoch * steps + step, steps))
                self.num_shared += 1
                yield handed
        finally:
            # After a whole epoch it keeps its place, and the next one asks again.
            if handed is not None and step < steps and ticket == self._ticket:
                self.leave()

    def alone(self, epoch: int, step: int) -> None:
        """Tell the reader where this trial is while it goes on alone, so that others can meet it at the next epoch."""
        self._send(At(epoch, step))

    def leave(self) -> None:
        """Let nobody wait for this trial; call it when it ends."""
        self._windows.clear()
        self._next = None
        self._send(Leave())

    def close(self) -> None:
        """End the connection; batches that are still referred to stay valid."""
        self._windows.clear()
        self._next = None
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _attach(self, order_seed: int, augment_seed: int, epoch: int, step: int) -> int:
        if self._connection is None:
            try:
                self._connection = connect(self._address())
            except (OSError, RuntimeError) as error:
                self._part(epoch, step, f"there is no reader ({error})", fault=True)
        if self._next != (order_seed, augment_seed, epoch, step):
            self.leave()
        self._ticket += 1
        self._send(Attach(self._ticket, self._stream, order_seed, augment_seed, epoch, step))
        return self._ticket

    def _take(self, ticket: int, epoch: int, step: int) -> Handed | None:
        """The batch of `step`, or None: from here on alone."""
        while (found := self._receive(epoch, step)) is not None:
            match found:
                case Grant() as grant, descriptors:
                    if descriptors:
                        self._windows[grant.slot] = Window(descriptors[0], self._stream.shape)
                    if (grant.ticket, grant.epoch, grant.step) == (ticket, epoch, step):
                        return self._hand(grant)
                    self._windows.pop(grant.slot, None)  # of an epoch that was left in its middle
                    self._send(Release(grant.slot))
                case Alone() as told, _:
                    self._windows.clear()
                    if told.ticket == ticket:
                        self._next = None
                        self._part(epoch, step, told.reason, told.fault)
                        return None
                case Busy(), _:
                    pass
        return None

    def _hand(self, grant: Grant) -> Handed:
        window = self._windows[grant.slot]
        rows = window.rows[: grant.num + grant.num_undecodable].copy()
        pixels = window.pixels()
        if len(self._leased) < CREDIT - 1:
            self._leased.add(grant.slot)
            # By the last reference, wherever it is: no client can see its pixels change.
            weakref.finalize(pixels, self._release, grant.slot).atexit = False
        else:  # its user keeps batches, and may keep these
            pixels = pixels.copy()
            self._send(Release(grant.slot))
        return Handed(pixels[: grant.num], rows[: grant.num], rows[grant.num :])

    def _release(self, slot: int) -> None:
        self._leased.discard(slot)
        self._send(Release(slot))

    def _receive(self, epoch: int, step: int) -> tuple[Message, list[int]] | None:
        """The next message and the descriptors that came with it, or None: the reader is gone."""
        assert self._connection is not None
        reading = select.poll()
        reading.register(self._connection, select.POLLIN)
        if not reading.poll(0):
            self._send(Wait(epoch, step))
            if not reading.poll(self._silence_s * 1000):
                self._lose(epoch, step, f"was silent for {self._silence_s:g} s")
                return None
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._connection, MAX_PACKET, 1)
            if packet:
                return unpack(packet), descriptors
            self._lose(epoch, step, "ended")
        except ConnectionResetError:
            self._lose(epoch, step, "ended")
        except (OSError, ValueError) as error:
            self._lose(epoch, step, f"cannot be understood ({error})")
        return None

    def _lose(self, epoch: int, step: int, what: str) -> None:
        self.close()
        self._part(epoch, step, f"the reader {what}", fault=True)

    def _part(self, epoch: int, step: int, reason: str, fault: bool) -> None:
        self.partings.append(Parting(epoch, step, fault, reason))

    def _send(self, message: Message) -> None:
        if self._connection is not None:
            with suppress(OSError):  # whoever waits for an answer finds out
                self._connection.send(pack(message))
