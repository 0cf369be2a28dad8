"""Why a trial failed, and whether trying again can help."""

from typing import Literal

from paribus.orchestration.crashes import KillsItsProcessError
from paribus.recipe.secrets import without_secrets

FailureClass = Literal["preempted", "node", "oom", "data", "code"]

# How often Ray Tune starts a trial again after its worker's process or node was lost, which is no fault of the trial.
MAX_NODE_RETRIES = 8

ADVICE: dict[FailureClass, str] = {
    "preempted": "its node was taken back; the same command resumes it",
    "node": "mend the node that it names, or look at the log of the one that was lost; then run the same command again",
    "oom": "ask for a smaller data.batch_size or a larger device; it is not tried again until you say retry",
    "data": "mend the data (paribus shards verify names every fault), then say retry",
    "code": "mend the code, then say retry",
}


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
