"""The parameters of a net as two vectors, those that decay and those that do not.

A narrow net has a hundred small parameters, and an optimizer spends its step on calls rather than numbers. Over one
vector an update, a norm, a clip and an average are one call each.
"""

import torch
from torch import Tensor, nn

# Vector instructions and oneDNN read 64-byte lines; a parameter that starts on one is read without a penalty.
_ALIGNMENT = 16


def flatten(parameters: list[nn.Parameter], memory_format: torch.memory_format) -> nn.Parameter:
    """One vector of which every one of `parameters`, and its gradient, becomes a view.

    The gaps between them are zero and stay so: their gradient is zero, and decay keeps zero at zero.
    """
    starts, end = [], 0
    for parameter in parameters:
        starts.append(end)
        end += -(-parameter.numel() // _ALIGNMENT) * _ALIGNMENT
    device = parameters[0].device
    flat = nn.Parameter(torch.zeros(end, device=device))
    flat.grad = torch.zeros(end, device=device)
    for parameter, start in zip(parameters, starts, strict=True):
        view = _view(flat.detach(), parameter, start, memory_format)
        view.copy_(parameter.detach())
        parameter.data = view
        parameter.grad = _view(flat.grad, parameter, start, memory_format)
    return flat


def _view(flat: Tensor, parameter: Tensor, start: int, memory_format: torch.memory_format) -> Tensor:
    piece = flat[start : start + parameter.numel()]
    if parameter.ndim == 4 and memory_format is torch.channels_last:
        O, I, H, W = parameter.shape  # noqa: E741
        return piece.view(O, H, W, I).permute(0, 3, 1, 2)
    return piece.view(parameter.shape)


def parameter_groups(
    net: nn.Module, decay_norms_and_biases: bool, memory_format: torch.memory_format = torch.contiguous_format
) -> tuple[nn.Parameter, nn.Parameter | None]:
    """(what decays, what does not) as vectors; norms and biases are what has fewer than two dimensions."""
    parameters = list(net.parameters())
    if decay_norms_and_biases:
        return flatten(parameters, memory_format), None
    return (
        flatten([p for p in parameters if p.ndim > 1], memory_format),
        flatten([p for p in parameters if p.ndim <= 1], memory_format),
    )
