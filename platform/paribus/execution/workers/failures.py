"""Why a trial failed, and whether trying again can help."""

from paribus.execution.workers.crashes import KillsItsProcessError
from paribus.host.secrets import without_secrets
from paribus.study.words import FailureClass

# How often Ray Tune starts a trial again after its worker's process or node was lost, which is no fault of the trial.
MAX_NODE_RETRIES = 8
# How often a trial is sent on from nodes with something amiss, which costs it none of those; after that it fails.
MAX_MOVES = 3
# One more than the attempts that a worker may have begun in one run.
BEYOND_ATTEMPTS = MAX_NODE_RETRIES + MAX_MOVES + 1


def classify(error: BaseException) -> FailureClass:
    """The class of an error raised inside a trial; loss of a whole worker never gets here, Ray reports it.

    "node" is the loss of one of the processes that train a trial beside the worker, or a node with another program.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"DataError", "TooFewSamplesError"}:
        return "data"
    if names & {"RankLostError", "OtherCodeError"}:
        return "node"
    # torch.OutOfMemoryError, by name: this room does not import torch.
    if names & {"MemoryError", "OutOfMemoryError"} or "can't allocate memory" in str(error):
        return "oom"
    return "code"


def reason(kind: FailureClass, error: BaseException) -> str:
    """`data: shard train-000001.tar is truncated ...`: one line, whole enough to act on."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KillsItsProcessError):
        return without_secrets(text)[:1000]
    return without_secrets(f"{kind}: {text}")[:1000]
