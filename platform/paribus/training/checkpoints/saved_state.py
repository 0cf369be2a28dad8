"""What a checkpoint must hold to be gone on from: the form of the trial's own state, at a place where the trial can be.

A digest says that a file's bytes are those that were written, not that they are a state of this trial.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from paribus.training.optimizers import state_names
from paribus.training.progress import Progress
from paribus.training.train_state import TrainState

Span = Callable[[int], tuple[int, int]]
_PARTS = ("learner", "progress", "trial")


def fault_of(state: Any, train_state: TrainState, progress: Progress, span: Span, num_epochs: int) -> str | None:
    """Why `state` is none that the trial can go on from; None where it is one.

    `train_state` and `progress` are the trial's own as it starts; `span` gives the steps before and after an epoch.
    """
    if not isinstance(state, Mapping) or set(state) != set(_PARTS) or not isinstance(state["trial"], str):
        return f"it does not hold {', '.join(_PARTS)}"
    saved, mine = state["learner"], train_state.state()
    if not isinstance(saved, Mapping) or set(saved) != set(mine):
        return f"its train_state does not hold {', '.join(mine)}"
    return (
        _difference("net", saved["net"], mine["net"])
        or _difference("averaged", saved["averaged"], mine["averaged"])
        or _difference("scaler", saved.get("scaler"), mine.get("scaler"))
        or _optimizer_fault(saved["optimizer"], mine["optimizer"], train_state)
        or _progress_fault(state["progress"], progress, span, num_epochs)
    )


def _difference(where: str, saved: Any, mine: Any) -> str | None:
    """Where `saved` has another form than `mine`: other names, lengths, types, shapes. Values may differ."""
    if isinstance(mine, Tensor):
        if not isinstance(saved, Tensor) or saved.shape != mine.shape or saved.dtype != mine.dtype:
            return f"{where} is {_form(saved)} instead of {_form(mine)}"
        return None
    if isinstance(mine, Mapping):
        if not isinstance(saved, Mapping) or set(saved) != set(mine):
            return f"{where} has other names"
        pairs = [(f"{where}.{name}", saved[name], value) for name, value in mine.items()]
    elif isinstance(mine, (list, tuple)):
        if not isinstance(saved, (list, tuple)) or len(saved) != len(mine):
            return f"{where} has another length"
        pairs = [(f"{where}.{place}", saved[place], value) for place, value in enumerate(mine)]
    else:
        return None if isinstance(saved, type(mine)) else f"{where} is {_form(saved)} instead of {_form(mine)}"
    return next((fault for pair in pairs if (fault := _difference(*pair))), None)


def _form(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _optimizer_fault(saved: Any, mine: Mapping[str, Any], train_state: TrainState) -> str | None:
    if not isinstance(saved, Mapping) or set(saved) != set(mine):
        return "optimizer has other names"
    if fault := _difference("optimizer.param_groups", saved["param_groups"], mine["param_groups"]):
        return fault
    names = state_names(train_state.optimizer)
    if names is None:
        return _own_state_fault(saved["state"], list(train_state.net.parameters()))
    expected = {
        place: {name: torch.zeros(()) if name == "step" else vector for name in names}
        for place, vector in enumerate(train_state.vectors)
        if names
    }
    return _difference("optimizer.state", saved["state"], expected)


def _own_state_fault(saved: Any, parameters: list[Tensor]) -> str | None:
    """As far as can be told of a class from outside: a mapping for each parameter, whose moments have its shape."""
    if not isinstance(saved, Mapping) or not set(saved) <= set(range(len(parameters))):
        return "optimizer.state has other places"
    if not all(isinstance(state, Mapping) for state in saved.values()):
        return "optimizer.state does not hold mappings"
    return None


def _progress_fault(saved: Any, progress: Progress, span: Span, num_epochs: int) -> str | None:
    mine = progress.state()
    if not isinstance(saved, Mapping) or set(saved) != set(mine):
        return "progress has other names"
    plain = ("step", "num_images", "epochs_done", "stream_hash", "outcome", "durations")
    if fault := next((fault for name in plain if (fault := _difference(name, saved[name], mine[name]))), None):
        return fault
    step, epochs_done, hashes, dead = (saved[name] for name in ("step", "epochs_done", "stream_hashes", "dead_since"))
    if not 0 <= epochs_done < num_epochs or not span(epochs_done)[0] <= step <= span(epochs_done)[1]:
        return f"step {step} of epoch {epochs_done + 1} is no place of this trial"
    if saved["outcome"] != "finished" or saved["outcome_step"] is not None or saved["num_images"] < 0:
        return "its trial had ended"
    if dead is not None and not (isinstance(dead, int) and 0 < dead <= step):
        return f"dead_since is {dead!r}"
    if (
        not isinstance(hashes, list)
        or len(hashes) != epochs_done
        or not all(map(_is_hash, [*hashes, saved["stream_hash"]]))
    ):
        return "its stream hashes are not one an epoch"
    metrics = saved["metrics"]
    if not isinstance(metrics, Mapping) or not all(isinstance(value, float) for value in metrics.values()):
        return "its metrics are no numbers"
    curve = torch.zeros(step, dtype=torch.float64)
    return _difference("curves", saved["curves"], dict.fromkeys(mine["curves"], curve))


def _is_hash(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")
