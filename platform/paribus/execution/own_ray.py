"""A Ray of a study's own, for its while, where no cluster is named: `python -m paribus.execution.own_ray CPUS`.

It is started by a process that leads a session of its own and ends Ray when its standard input does. So a signal to
the study's whole process group, as schedulers send it, reaches the study alone, which then has a cluster to end in
order; and a study that is killed takes its Ray with it, for the system closes its end of the pipe.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from paribus.host import process_family as stack_process
from paribus.host import ray_access
from paribus.host.child_environment import child_environment
from paribus.host.held_folder import HeldFolder
from paribus.host.interruption import last_resort
from paribus.host.processes import uninterrupted
from paribus.host.say import warn

# Short, for the sockets below it; in a folder of its own, or it would take the stack's place for `ray job submit`.
PREFIX = "paribus-study-"
# Ray gives its raylet 30 s and its global store 30 s, which a crowded machine may exceed: once more is worth it.
TRIES = 2
_START_S = 150.0
_END_S = 2.5


class RayStartError(RuntimeError):
    """Ray did not come up; the text is its own reason, one line. `lasting` where another try is no use."""

    def __init__(self, text: str, *, lasting: bool) -> None:
        super().__init__(text)
        self.lasting = lasting


@contextmanager
def own_ray(place: Path, num_cpus: int) -> Iterator[str]:
    """Start a Ray on `num_cpus` CPUs in a folder below `place`, for the while; yields its address.

    Raises:
        RayStartError: it did not come up in `TRIES` tries.
    """
    guard()
    for num_left in reversed(range(TRIES)):
        checkpointer = _Keeper(place, num_cpus)
        with last_resort(checkpointer.kill):
            try:
                try:
                    checkpointer.start()
                    import ray  # noqa: F401 (takes seconds, in which the other process starts its own)

                    address = checkpointer.address()
                except RayStartError as error:
                    if error.lasting or not num_left:
                        raise
                    warn(f"Ray did not start ({error}): trying once more ...")
                    continue
                yield address
                return
            finally:
                checkpointer.end()


def guard(*, joins: bool = False) -> None:
    """Settle how this process speaks to Ray: whether it looks for it on loopback, and whether it has a token to show.

    A Ray of our own listens on loopback alone and asks for its token. Of one that it `joins`, the stack's, the command
    has said so (`local.cluster.to_join`); where it has not, none is asked for. At RAY_ADDRESS it is as the shell says.
    Ray's library reads this once, when it is loaded: this comes before. Where a study has loaded it already, its Ray
    has neither: with them it could not join.
    """
    if "ray" in sys.modules:
        os.environ.setdefault(ray_access.MODE, "disabled")
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address != "local":
        os.environ.update(ray_access.joining(address))
    elif joins:
        os.environ.setdefault(ray_access.MODE, "disabled")
    else:
        os.environ.update(ray_access.ONE_MACHINE)
        os.environ.setdefault(ray_access.MODE, "token")
        _token()


@contextmanager
def _token_in(folder: Path) -> Iterator[None]:
    """A token of this process's own in `folder` for the while, whatever the shell names for other clusters.

    So nothing is written to `~/.ray`, where a token would change how every later `ray start` of this user starts.
    """
    # Where a study has loaded Ray before `guard`, its library may know the shell's token, and no other any more.
    if os.environ.get(ray_access.MODE) != "token" or not _token.cache_info().currsize:
        yield
        return
    file = folder / "token"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as text:
        text.write(_token())
    names = (ray_access.TOKEN, ray_access.TOKEN_FILE)
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ[ray_access.TOKEN_FILE] = str(file)
    try:
        yield
    finally:
        del os.environ[ray_access.TOKEN_FILE]
        os.environ.update(before)
        file.unlink(missing_ok=True)


@cache
def _token() -> str:
    # Ray's library keeps the first token that it reads: that of a process is one, however many clusters it starts.
    return secrets.token_hex(32)


class _Keeper:
    """The process that starts Ray, holds it and ends it."""

    def __init__(self, place: Path, num_cpus: int) -> None:
        self._place, self._num_cpus = place, num_cpus
        self._folder: HeldFolder | None = None
        self._started: stack_process.Held | None = None
        self._with = ExitStack()
        self._is_up = False

    def start(self) -> None:
        """Start it, without waiting for Ray."""
        command = [sys.executable, "-m", "paribus.execution.own_ray", str(self._num_cpus)]
        with uninterrupted():
            try:
                self._folder = folder = HeldFolder(self._place, PREFIX)
                self._with.enter_context(_token_in(folder.path))
            except OSError as error:
                raise RayStartError(str(error), lasting=True) from None
            self._started = stack_process.start_held(
                command,
                env=child_environment({"RAY_TMPDIR": str(folder.path)}),
                log=folder.path / "start.log",
                pass_fds=(folder.descriptor,),
            )

    def address(self) -> str:
        """Wait until Ray is up. Raises RayStartError."""
        assert self._started is not None
        output, deadline = self._started.output, time.monotonic() + _START_S
        while not select.select([output], [], [], 0.1)[0]:
            if time.monotonic() > deadline:
                raise RayStartError(f"it did not answer for {_START_S:.0f} s", lasting=False)
        try:
            told = json.loads(output.readline())
        except ValueError:
            raise RayStartError(self._last_line(), lasting=False) from None
        if "error" in told:
            raise RayStartError(told["error"], lasting=told["lasting"])
        self._is_up = True
        return str(told["address"])

    def end(self) -> None:
        """End Ray: asked first, and then not. Its folder stays, for its logs, until the next Ray is started."""
        with uninterrupted():
            if self._started is not None:
                self._started.let_go(_END_S if self._is_up else 0.0)
                self.kill()
            self._with.close()
            if self._folder is not None:
                self._folder.release(remove=False)

    def kill(self) -> None:
        """kill -9 of it and of all that it started."""
        if self._started is not None:
            stack_process.end(self._started.process, guest_grace_s=0.0, grace_s=0.2)

    def _last_line(self) -> str:
        assert self._folder is not None
        text = (self._folder.path / "start.log").read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it ended without a word"


def main(num_cpus: str) -> int:
    """Start Ray, tell its address as a line of JSON, and hold it until standard input ends."""
    told, sys.stdout = sys.stdout, sys.stderr
    try:
        import logging

        import ray

        ray.init(
            "local", num_cpus=int(num_cpus), include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
        found: dict[str, object] = {"address": ray.get_runtime_context().gcs_address}
    except Exception as error:  # Ray raises whatever it meets
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        found = {"error": text[:300], "lasting": isinstance(error, (OSError, ValueError))}
    print(json.dumps(found), file=told, flush=True)
    if "error" in found:
        return 1
    while os.read(0, 1024):
        pass
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
