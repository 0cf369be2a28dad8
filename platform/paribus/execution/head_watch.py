"""The driver's last words where the cluster's head is gone: Ray's library waits a minute for it and then ends the
process, whose main thread waits in a call in C, with a line of its own and without a word to the ledger."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from paribus.host.interruption import leave
from paribus.host.say import warn

# Ray's own setting, by which an operator says how long a head may take to come back, and its default.
_PATIENCE: Final = ("RAY_gcs_rpc_server_reconnect_timeout_s", 60.0)
# What the ledger is told takes a few seconds, before Ray ends the process.
_AHEAD_S: Final = 20.0
_ASK_S: Final = 2.0
# A head that does not listen is gone, and one that is started in its place is another cluster's, at whose first answer
# Ray's library ends the process: unless an operator has said how long a head may take to come back, with what it knew.
_REFUSALS: Final = 3


@contextmanager
def head_watched(address: str, told: Callable[[], None]) -> Iterator[None]:
    """Within the block: where no head has answered at `address` for nearly as long as Ray waits, or none has been
    listening there and none is expected back, say so, call `told` and end the process with 1."""
    over = threading.Event()
    watch = threading.Thread(
        target=_watch, args=(address, told, over, patience_s()), name="paribus-head-watch", daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def patience_s() -> float:
    """For how long the head may be away."""
    name, default = _PATIENCE
    try:
        most = float(os.environ.get(name) or default)
    except ValueError:
        most = default
    return max(most - _AHEAD_S, most / 2)


def is_expected_back() -> bool:
    """Whether an operator has said that a head that ends comes back, and when."""
    return bool(os.environ.get(_PATIENCE[0]))


def answers(address: str) -> bool:
    """Whether something listens at `HOST:PORT`. Raises ConnectionRefusedError where its machine says that none does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
    except ConnectionRefusedError:
        raise
    except (OSError, ValueError):
        return False
    return True


def _watch(address: str, told: Callable[[], None], over: threading.Event, most_s: float) -> None:
    seen, refused = time.monotonic(), 0
    while not over.wait(_ASK_S):
        try:
            if answers(address):
                seen = time.monotonic()
            refused = 0
        except ConnectionRefusedError:
            refused += 1
        if refused >= _REFUSALS and not is_expected_back():
            _end(f"nobody listens at {address}, where its head was", told)
        if time.monotonic() - seen > most_s:
            _end(f"its head at {address} has not answered for {most_s:.0f} s", told)


def _end(how: str, told: Callable[[], None]) -> None:
    warn(
        f"\nthe cluster was lost: {how}. Trials go on from their last checkpoints: the same command does that, once a "
        "cluster is up (paribus up)"
    )
    with suppress(Exception):  # the ledger may be lost with it
        told()
    leave(1)
