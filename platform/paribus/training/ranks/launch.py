"""Starts the other ranks of a trial on several, beside rank 0 in this process, and says why one died."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import cast

from torch import distributed as dist
from torch.distributed.distributed_c10d import Store

from paribus.recipe import Recipe, Seeds
from paribus.training.checkpoints.checkpoint import Checkpoints
from paribus.training.errors import RankLostError, TrainingError
from paribus.training.feed_protocol import Feed, SharedFeed
from paribus.training.ranks.group import PATIENCE_S, Ranks, group, meeting_place

# What a rank leaves in the store when it is ready.
HERE = "rank {} is here"
# How long ranks may take to notice that one of them died, or to end after the last step.
_GRACE_S = 30.0


def stack_file(raised: Path) -> Path:
    """Where a rank leaves its stack if a signal kills it, beside what it raises."""
    return raised.with_name(f"{raised.name}.stack")


@dataclass(frozen=True)
class Job:
    """What a rank is told, as a pickle, by the process that starts it."""

    rank: int
    recipe: Recipe
    seeds: Seeds
    opening: Callable[[int, int], SharedFeed]
    checkpoints: Path | None
    meeting_place: Path
    patience_s: float


@contextmanager
def launch(
    recipe: Recipe, seeds: Seeds, feed: Feed, checkpoint: Checkpoints | None, patience_s: float = PATIENCE_S
) -> Iterator[tuple[Ranks, SharedFeed]]:
    """Within the block the trial's other ranks train; (what rank 0 is among them, its share of the data).

    They are processes of this machine with standard input as their tether: they wait there for the next epoch, and end
    when it closes, whatever happened to this process.

    Raises:
        TrainingError: a feed that cannot be shared, or one that others cannot open.
        RankLostError: a rank died, or did not answer for `patience_s` seconds.
        Exception: whatever a rank raised.
    """
    size, cuda = recipe.resources.num_ranks, recipe.resources.gpus > 0
    opening = _opening(recipe, feed)
    folder = None if checkpoint is None else checkpoint.folder
    with tempfile.TemporaryDirectory(prefix="paribus-ranks-") as told, _nearby():
        place = Path(told) / "meeting place"
        store = meeting_place(place, size, patience_s)
        jobs = [Job(rank, recipe, seeds, opening, folder, place, patience_s) for rank in range(1, size)]
        processes = _Processes(jobs, Path(told))
        try:
            share = opening(0, size)
            processes.gather(store)
            with group(store, 0, size, cuda=cuda, patience_s=patience_s):
                if cuda:
                    processes.abort_when_one_dies()
                yield Ranks(0, size, processes.begin_epoch), share
            processes.wait()
        except RankLostError as error:
            processes.explain(error)
        finally:
            processes.end()


def _opening(recipe: Recipe, feed: Feed) -> Callable[[int, int], SharedFeed]:
    if not hasattr(feed, "opening"):
        raise TrainingError(
            f"a {type(feed).__name__} cannot be shared among {recipe.resources.num_ranks} ranks: give it what "
            "paribus.training.feed_protocol.SharedFeed asks, or train with resources.ranks=1 and one GPU"
        )
    return cast(SharedFeed, feed).opening


@contextmanager
def _nearby() -> Iterator[None]:
    """All ranks are on this machine: without this gloo and NCCL would look for an interface to others."""
    names = {"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"} - os.environ.keys()
    if not sys.platform.startswith("linux"):
        names = set()
    os.environ.update(dict.fromkeys(names, "lo"))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


class _Processes:
    """The processes of ranks 1 and on; each leaves what it raised in a file of the folder `told`."""

    def __init__(self, jobs: list[Job], told: Path) -> None:
        self._told = told
        self._ending = False
        # They find what this process can import, however it came to find it; in a session of their own, so that
        # Ctrl-C reaches rank 0 alone, which ends them.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._processes = []
        for job in jobs:
            file = told / f"job {job.rank}"
            file.write_bytes(pickle.dumps(job))
            stack_file(self._file(job.rank)).touch()
            command = [sys.executable, "-m", "paribus.training.ranks.rank", str(file), str(self._file(job.rank))]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)
            )

    def gather(self, store: Store) -> None:
        """Return when all have opened their data; RankLostError when one has ended instead."""
        while not store.check([HERE.format(rank) for rank in range(1, len(self._processes) + 1)]):
            if any(process.poll() is not None for process in self._processes):
                raise RankLostError("a rank of this trial ended before its first step")
            time.sleep(0.02)

    def begin_epoch(self) -> None:
        """Let the ranks begin the next epoch; until then they may have waited for hours, as in a notebook."""
        for rank in range(1, len(self._processes) + 1):
            tether = self._processes[rank - 1].stdin
            assert tether is not None
            try:
                tether.write(b".")
                tether.flush()
            except BrokenPipeError as error:
                raise RankLostError(f"rank {rank} of this trial has gone") from error

    def abort_when_one_dies(self) -> None:
        """NCCL does not notice: this process would wait on its GPU for ever."""

        def watch(process: subprocess.Popen[bytes]) -> None:
            if process.wait() != 0 and not self._ending and dist.group.WORLD is not None:
                dist.group.WORLD.abort()

        for process in self._processes:
            Thread(target=watch, args=(process,), daemon=True).start()

    def wait(self) -> None:
        """Let all end by themselves; RankLostError where one does not, or not well."""
        self._await(_GRACE_S)
        if any(process.returncode != 0 for process in self._processes):
            raise RankLostError("a rank of this trial failed after its last step")

    def explain(self, error: RankLostError) -> None:
        """Raise what made a rank fail first, which is seldom what rank 0 saw; `error` where nothing is known."""
        self._await(_GRACE_S)
        raised = [(rank, self._raised(rank)) for rank in range(1, len(self._processes) + 1)]
        for rank, reason in raised:
            if reason is not None and not isinstance(reason, RankLostError):
                reason.add_note(f"raised by rank {rank} of {len(self._processes) + 1}")
                raise reason from error
        killed = [(rank, process.returncode) for rank, process in enumerate(self._processes, start=1)]
        killed = [(rank, -code) for rank, code in killed if code is not None and code < 0]
        if killed:
            # NCCL aborts the ranks that are left, some time after one has died of something else.
            raise self._lost(*min(killed, key=lambda each: each[1] == signal.SIGABRT)) from error
        raise error

    def _lost(self, rank: int, number: int) -> RankLostError:
        """That a signal killed that rank; its stack is a note of the error where it left one."""
        name = signal.Signals(number).name
        lost = RankLostError(
            f"rank {rank} of {len(self._processes) + 1} was killed by {name} (SIGKILL is often the kernel's: "
            "out of memory); the same command goes on from its checkpoint"
        )
        lost.signal = name
        if stack := stack_file(self._file(rank)).read_text(errors="replace"):
            lost.add_note(stack)
        return lost

    def _raised(self, rank: int) -> BaseException | None:
        file = self._file(rank)
        return cast(BaseException, pickle.loads(file.read_bytes())) if file.exists() else None

    def _file(self, rank: int) -> Path:
        return self._told / f"raised {rank}"

    def _await(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """End those that still run."""
        self._ending = True
        for process in self._processes:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close() if process.stdin else None
