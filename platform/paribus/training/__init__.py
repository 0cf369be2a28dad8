"""Training: one trial from a recipe, its seeds and a feed. Needs no cluster and no ledger."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples
    from paribus.training.checkpoints.checkpoint import Checkpoints
    from paribus.training.errors import CheckpointError, RankLostError, TrainingError
    from paribus.training.feed_protocol import Batch, Feed
    from paribus.training.loop import epochs, fit
    from paribus.training.result import Epoch, Result

__all__ = [
    "Batch",
    "CheckpointError",
    "Checkpoints",
    "Epoch",
    "Examples",
    "Feed",
    "RankLostError",
    "Result",
    "TrainingError",
    "epochs",
    "fit",
]

_HOMES = {
    "Checkpoints": "checkpoints.checkpoint",
    "CheckpointError": "errors",
    "RankLostError": "errors",
    "TrainingError": "errors",
    "Batch": "feed_protocol",
    "Feed": "feed_protocol",
    "epochs": "loop",
    "fit": "loop",
    "Epoch": "result",
    "Examples": "result",
    "Result": "result",
}


def __getattr__(name: str) -> Any:
    # Loaded on demand: whoever needs the errors alone, such as the driver of a study, does not wait for torch.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
