"""What a built net computes: its operations in the order in which it runs them, followed on the meta device.

The net runs once on an image without values, so that any Python in `forward` is followed as it goes. Layers that
`drawing_words` knows are one operation each; in all others the torch functions are recorded.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from paribus.models.blocks import ConvNet
from paribus.models.drawing.words import TRANSPARENT, layer_word, operation_word
from paribus.models.shapes import ShapesAlone


@dataclass(frozen=True)
class Operation:
    """One operation of a net; `inputs` are the numbers of the operations that it reads."""

    kind: str  # input, conv, norm, act, pool, add, concat, gate, dropout, classifier, output or other
    text: str  # "conv 3×3 /2"
    inputs: tuple[int, ...]
    shape: tuple[int, ...]  # of one image: (C, H, W), or (C,) after the pool
    path: str  # of the module that ran it: "stages.0.1.convs.0"
    params: int = 0
    notes: tuple[str, ...] = ()  # what was folded into it, in order: ("BN", "ReLU")


Graph = dict[int, Operation]  # in the order of execution


def trace(net: ConvNet, channels: int, size: int) -> Graph:
    """The operations of `net`, which lies on the meta device, for images (channels, size, size). Its mode is kept.

    The last operations are its outputs, the classifier's logits first, then those of the auxiliary heads.
    """
    image = torch.empty(1, channels, size, size, device="meta")
    follower = _Follower()
    follower.put(image, Operation("input", "image", (), tuple(image.shape[1:]), ""))
    with _auxiliary_too(net), follower.hooked(net), torch.no_grad(), ShapesAlone(), follower:
        pooled, auxiliary = net.features(image)
        logits = net.head(pooled)
    for tensor, text in [(logits, "logits"), *((tensor, "auxiliary logits") for tensor in auxiliary)]:
        source = follower.producer[id(tensor)]
        follower.put(tensor, Operation("output", text, (source,), tuple(tensor.shape[1:]), ""))
    return follower.graph


@contextmanager
def _auxiliary_too(net: nn.Module) -> Iterator[None]:
    """Training mode, which runs the auxiliary heads, but for the layers themselves, which then draw no masks."""
    modes = {module: module.training for module in net.modules()}
    for module in modes:
        module.training = layer_word(module) is None
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class _Follower(TorchFunctionMode):
    """Sees every torch function, and through hooks every layer, and notes which operation made which tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.graph: Graph = {}
        self.producer: dict[int, int] = {}
        self._kept: list[Tensor] = []  # an id names a tensor only while it lives
        self._path = [""]
        self._inside_layer = 0

    def put(self, tensor: Tensor, operation: Operation) -> None:
        number = len(self.graph)
        self.graph[number] = operation
        self._point(tensor, number)

    def _point(self, tensor: Tensor, number: int) -> None:
        self._kept.append(tensor)
        self.producer[id(tensor)] = number

    def _sources(self, values: Iterable[object]) -> tuple[int, ...]:
        return tuple(self.producer[id(t)] for value in values for t in _tensors(value) if id(t) in self.producer)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        sources = self._sources([*args, *kwargs.values()])  # before the call, which may work in place
        out = func(*args, **kwargs)
        if not self._inside_layer and sources:
            self._note(func.__name__, sources, args, kwargs, list(_tensors(out)))
        return out

    def _note(
        self, name: str, sources: tuple[int, ...], args: tuple[Any, ...], kwargs: dict[str, Any], outs: list[Tensor]
    ) -> None:
        for out in outs:
            before = self.graph[sources[0]].shape
            shape = tuple(out.shape[1:])
            if name in TRANSPARENT and (len(shape) < 2 or shape == before):
                self._point(out, sources[0])
            else:
                kind, text = operation_word(name, args, kwargs, shape)
                self.put(out, Operation(kind, text, sources, shape, self._path[-1]))

    @contextmanager
    def hooked(self, net: nn.Module) -> Iterator[None]:
        handles: list[RemovableHandle] = []
        for path, module in net.named_modules():
            handles += self._hook(path, module)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, path: str, module: nn.Module) -> Iterator[RemovableHandle]:
        word = layer_word(module)

        def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._path.append(path)
            self._inside_layer += word is not None

        def leave(module: nn.Module, inputs: tuple[Any, ...], out: Any) -> Any:
            self._path.pop()
            if word is None:
                return None
            params = sum(parameter.numel() for parameter in module.parameters())
            operation = Operation(word[0], word[1], self._sources(inputs), tuple(out.shape[1:]), path, params)
            # A layer that hands its input on (dropout in evaluation) gets a tensor of its own to be known by.
            out = out.detach()
            self._inside_layer -= 1
            self.put(out, operation)
            return out

        yield module.register_forward_pre_hook(enter)
        yield module.register_forward_hook(leave)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)
