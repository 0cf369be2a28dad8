"""The reader of a node: serves each stream that is asked for from one ring, to as many clients as come."""

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from threading import Condition, Thread
from time import monotonic

from paribus.data.sharing.client_connection import BUSY_S, ClientConnection
from paribus.data.sharing.cohorts import Cohorts, Limits
from paribus.data.sharing.protocol import Source, listen, owner
from paribus.data.sharing.wait_policy import WaitPolicy

# Between looks at who waits for whom.
_LOOK_S = 0.05


class SharingError(RuntimeError):
    """Nothing can be shared here; the text says why."""


class Server:
    """Reads and decodes each batch once, for all clients in the processes of this node and user.

    `open_source` opens a stream's `spec`; clients find the reader at `address`.

    Raises:
        SharingError: this system has no anonymous shared memory.
    """

    def __init__(
        self,
        open_source: Callable[[str], Source],
        *,
        wait_policy: WaitPolicy | None = None,
        limits: Limits | None = None,
    ) -> None:
        if not hasattr(os, "memfd_create"):
            raise SharingError("sharing needs Linux: memory without a name (memfd_create) is not to be had here")
        self.address = f"paribus-feed-{token_hex(16)}"
        self._changed = Condition()
        self._cohorts = Cohorts(open_source, wait_policy or WaitPolicy(), limits or Limits(), self._changed, self._wake)
        self._quiet_since: float | None = monotonic()
        self._closing = False
        self._wakened, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._listener = listen(self.address)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wakened, selectors.EVENT_READ, lambda: self._wakened.recv(4096))
        self._thread = Thread(target=self._serve, name="paribus-reader", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> dict[str, int]:
        """What was drawn so far, once for all clients: `batches` and `samples`; and who is here: `clients`."""
        with self._changed:
            batches, samples = self._cohorts.drawn
            return {"batches": batches, "samples": samples, "clients": len(self._cohorts.peers)}

    @property
    def quiet_s(self) -> float:
        """Seconds since the last client went; 0 while there is one."""
        with self._changed:
            return 0.0 if self._quiet_since is None else monotonic() - self._quiet_since

    def close(self) -> None:
        """Let every client go on alone, and end the threads."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._closing:
                with self._changed:
                    waiting = any(peer.member is not None and peer.member.waiting for peer in self._cohorts.peers)
                events = self._selector.select(_LOOK_S if waiting else BUSY_S)
                with self._changed:
                    for key, _ in events:
                        key.data()
                    self._drop_gone()
                    self._cohorts.advance(monotonic())
                    if self._drop_gone():
                        self._cohorts.advance(monotonic())
                    self._changed.notify_all()
        finally:  # a fault of its own must not leave anybody waiting
            self._end()

    def _end(self) -> None:
        with self._changed:
            for peer in self._cohorts.peers:
                peer.gone = True
            self._drop_gone()
            self._cohorts.advance(monotonic())
            self._changed.notify_all()
        self._cohorts.join()
        for end in (self._listener, self._wakened, self._waker, self._selector):
            end.close()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it was wakened many times over
            self._waker.send(b".")

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if owner(connection) != os.getuid():
            connection.close()
            return
        peer = ClientConnection(connection)
        self._cohorts.peers.add(peer)
        self._quiet_since = None
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(peer))

    def _hear(self, peer: ClientConnection) -> None:
        message = peer.receive()
        if message is not None:
            self._cohorts.take(peer, message)

    def _drop_gone(self) -> bool:
        gone = [peer for peer in self._cohorts.peers if peer.gone]
        for peer in gone:
            self._cohorts.peers.discard(peer)
            self._selector.unregister(peer.connection)
            peer.close()
        if gone and not self._cohorts.peers:
            self._quiet_since = monotonic()
        return bool(gone)
