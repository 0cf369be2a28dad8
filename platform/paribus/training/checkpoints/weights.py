"""The weights that a finished trial was evaluated with, as a file that is read without running anything in it."""

import io

import torch
from torch import Tensor, nn

from paribus.training.errors import TrainingError

_FORMAT = 1


def encode_weights(net: nn.Module) -> bytes:
    """The parameters and buffers of `net` as `torch.load(weights_only=True)` reads them, 4 bytes a number."""
    # Cloned one by one: parameters are views of one vector, and a saved view brings the whole of it.
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in net.state_dict().items()}
    content = io.BytesIO()
    torch.save({"format": _FORMAT, "net": state}, content)
    return content.getvalue()


def decode_weights(data: bytes) -> dict[str, Tensor]:
    """The state dict that `encode_weights` was given, on the CPU.

    Raises:
        TrainingError: it is no such file, or a damaged one.
    """
    try:
        document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises nearly anything at bytes that it did not write
        raise TrainingError(f"these {len(data):,} bytes are no weights of a trial: {error}") from error
    state = document.get("net") if isinstance(document, dict) and document.get("format") == _FORMAT else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise TrainingError("this file is no weights of a trial, or of a later version of Paribus")
    return dict(state)
