"""How running trials are asked to save themselves at once and give up their places, and how they hear of it.

Two may ask. A node that is to be taken back has a file: where PARIBUS_PREEMPTION_NOTICE names one in the environment of
its Ray, and something is there, its trials save themselves, and go on elsewhere if there is an elsewhere.

The driver starts an actor by a name that its workers know, and that there is one by that name is all that they ask:
Ray's own table of names answers, so that a hundred workers cost no process, and one that starts later hears it too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

_NAMESPACE: Final = "paribus"
# A step of its own, the last one, may be under way.
ASK_S: Final = 3.0
NOTICE: Final = "PARIBUS_PREEMPTION_NOTICE"
# A cloud gives 30 s to two minutes.
_LOOK_S: Final = 1.0
_MOST_BYTES = 200


class GaveWayError(Exception):
    """The trial saved itself, as it was asked to, and goes on later or elsewhere."""


class NoticeError(Exception):
    """This node is to be taken back."""


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
    """The worker's side: looks every few seconds whether its driver asks (`asked`), and whether its node is to be taken
    back (`noticed`)."""

    def __init__(self, name: str, env: Mapping[str, str] = os.environ) -> None:
        self._name = name
        self._file = Path(env[NOTICE]) if env.get(NOTICE) else None
        self.asked, self.noticed, self._ended = threading.Event(), threading.Event(), threading.Event()
        for listen in (self._listen if name else None, self._look if self._file else None):
            if listen is not None:
                threading.Thread(target=listen, name="paribus-giving-way", daemon=True).start()

    def end(self) -> None:
        """Listen no more."""
        self._ended.set()

    def notice(self) -> NoticeError:
        """What the node was told, as an error."""
        assert self._file is not None
        try:
            with self._file.open("rb") as file:
                told = " ".join(file.read(_MOST_BYTES).decode(errors="replace").split())
        except OSError:
            told = ""
        return NoticeError(f"it is to be taken back, says {self._file}" + (f": {told}" if told else ""))

    def _listen(self) -> None:
        while not self._ended.wait(ASK_S):
            try:
                ray.get_actor(self._name, namespace=_NAMESPACE)
            except (ValueError, RayError):  # nobody asks; or the head does not answer just now
                continue
            self.asked.set()
            return

    def _look(self) -> None:
        assert self._file is not None
        while not self._ended.wait(_LOOK_S):
            if self._file.exists():
                self.noticed.set()
                return
