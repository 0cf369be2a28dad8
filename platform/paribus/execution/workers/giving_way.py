"""How running trials are asked to save themselves at once and give up their places, and how they hear of it.

The driver starts an actor by a name that its workers know, and that there is one by that name is all that they ask:
Ray's own table of names answers, so that a hundred workers cost no process, and one that starts later hears it too.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import ray
from ray.exceptions import RayError

_NAMESPACE: Final = "paribus"
# A step of its own, the last one, may be under way.
ASK_S: Final = 3.0


class GaveWayError(Exception):
    """The trial saved itself, as it was asked to, and goes on later or elsewhere."""


class _Asked:
    """The actor: it is there."""


class Asking:
    """The driver's side; `end` takes it back."""

    def __init__(self, name: str) -> None:
        options: dict[str, Any] = {"name": name, "namespace": _NAMESPACE, "num_cpus": 0, "get_if_exists": True}
        self._actor: Any = ray.remote(_Asked).options(**options).remote()

    def end(self) -> None:
        """Ask no more."""
        ray.kill(self._actor)


class Hearing:
    """The worker's side: looks every few seconds whether its driver asks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.asked, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._listen, name="paribus-giving-way", daemon=True)
        if name:
            self._thread.start()

    def end(self) -> None:
        """Listen no more."""
        self._ended.set()

    def _listen(self) -> None:
        while not self._ended.wait(ASK_S):
            try:
                ray.get_actor(self._name, namespace=_NAMESPACE)
            except (ValueError, RayError):  # nobody asks; or the head does not answer just now
                continue
            self.asked.set()
            return
