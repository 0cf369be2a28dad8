"""One of the other ranks of a trial: `python -m paribus.training.ranks.rank JOB RAISED`, as `launch` starts it.

The file JOB says what to train, standard input brings a byte for each epoch that may begin, and what goes wrong is left
in the file RAISED.
"""

import faulthandler
import os
import pickle
import sys
import time
from pathlib import Path
from threading import Semaphore, Thread

from paribus.training.checkpoints.checkpoint import Checkpoints
from paribus.training.errors import TrainingError
from paribus.training.loop import train
from paribus.training.ranks.group import Ranks, group, meeting_place
from paribus.training.ranks.launch import HERE, Job, stack_file


def main(job: Path, raised: Path) -> int:
    """Train; the process's exit status."""
    stack = stack_file(raised).open("w")
    faulthandler.enable(stack)  # for as long as the process lives, and so does `stack`
    try:
        _train(pickle.loads(job.read_bytes()))
    except Exception as error:
        raised.write_bytes(_pickled(error))
        return 1
    return 0


def _train(job: Job) -> None:
    begun = Semaphore(0)
    Thread(target=_hold, args=(begun,), daemon=True).start()
    size = job.recipe.resources.num_ranks
    store = meeting_place(job.meeting_place, size, job.patience_s)
    share = job.opening(job.rank, size)
    store.set(HERE.format(job.rank), "")
    checkpoints = None if job.checkpoints is None else Checkpoints(job.checkpoints)
    with group(store, job.rank, size, cuda=job.recipe.resources.gpus > 0, patience_s=job.patience_s):
        ranks = Ranks(job.rank, size, begun.acquire)
        for _ in train(job.recipe, job.seeds, share, checkpoints, ranks, time.perf_counter()):
            pass


def _hold(begun: Semaphore) -> None:
    """Count the epochs that may begin; when rank 0's end of the line is gone, so is the trial."""
    # Not through sys.stdin, whose lock would still be held when the process ends.
    while os.read(0, 1):
        begun.release()
    os._exit(1)


def _pickled(error: Exception) -> bytes:
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # an exception may refuse in any way, and its text must get through
        return pickle.dumps(TrainingError(f"{type(error).__name__}: {error}"))
    return data


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
