"""How an operation is called in a drawing: the words of the papers' figures."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from paribus.models.dropout import Dropout, StochasticDepth

Word = tuple[str, str]  # kind, text

# What only arranges values anew is no operation of a figure; where it cuts some out (`x[:, :, ::2, ::2]`) it is one.
TRANSPARENT = frozenset(
    {"flatten", "view", "view_as", "reshape", "squeeze", "unsqueeze", "contiguous", "to", "expand", "expand_as",
     "permute", "transpose", "clone", "detach", "__get__", "__getitem__", "type_as", "float"}
)  # fmt: skip

_ACTIVATIONS = {"relu": "ReLU", "relu6": "ReLU6", "sigmoid": "sigmoid", "hardsigmoid": "hard sigmoid", "tanh": "tanh",
                "elu": "ELU", "leaky_relu": "leaky ReLU", "silu": "SiLU", "gelu": "GELU", "softmax": "softmax",
                "hardtanh": "hard tanh", "prelu": "PReLU", "hardswish": "hard swish"}  # fmt: skip


def layer_word(layer: nn.Module) -> Word | None:
    """How a layer is called, or None for a module that is drawn by what it computes."""
    if next(layer.children(), None) is not None:
        return None
    if isinstance(layer, nn.Conv2d):
        return "conv", _conv(layer)
    if isinstance(layer, nn.Linear):
        return "classifier", "fully connected"
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return "norm", "BN"
    if isinstance(layer, nn.LocalResponseNorm):
        return "norm", "LRN"
    if isinstance(layer, (Dropout, nn.Dropout, nn.Dropout2d)):
        return "dropout", f"dropout {layer.rate if isinstance(layer, Dropout) else layer.p:g}"
    if isinstance(layer, StochasticDepth):
        return "dropout", f"kept with p = {1 - layer.rate:g}"
    if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
        kind = "max" if isinstance(layer, nn.MaxPool2d) else "average"
        return "pool", _pool(kind, layer.kernel_size, layer.stride)
    name = type(layer).__name__.lower()
    return ("act", _ACTIVATIONS[name]) if name in _ACTIVATIONS else None


def operation_word(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], shape: tuple[int, ...]) -> Word:
    """How a call of the torch function `name` that gives one image `shape` is called."""
    name = name.strip("_").removesuffix("_")
    if name in _ACTIVATIONS:
        return "act", _ACTIVATIONS[name]
    if name in ("add", "iadd", "radd", "sub", "isub", "rsub"):
        return _sum(name, args, kwargs)
    if name in ("mul", "imul", "rmul", "div", "truediv", "itruediv"):
        number = _number(args)
        sign = "÷" if "div" in name else "×"
        return ("gate", sign) if number is None else ("scale", f"{sign} {number:g}")
    if name in ("cat", "concat", "concatenate"):
        return "concat", "concat"
    if name in ("mean", "adaptive_avg_pool2d", "amax", "adaptive_max_pool2d"):
        extent = "global" if set(shape[1:]) <= {1} else "adaptive"
        return "pool", f"{extent} {'max' if 'max' in name else 'average'} pool"
    if name in ("max_pool2d", "avg_pool2d", "boolean_dispatch"):
        kind = "average" if name == "avg_pool2d" else "max"
        return "pool", _pool(kind, args[1], args[2] if len(args) > 2 else kwargs.get("stride"))
    if name in ("batch_norm", "local_response_norm"):
        return "norm", "BN" if name == "batch_norm" else "LRN"
    if name == "getitem":
        steps = [part.step for part in args[1] if isinstance(part, slice) and part.step] if len(args) > 1 else []
        return "other", f"subsample{_stride(tuple(steps))}" if len(steps) == 2 else "part"
    return "other", {"pad": "zero pad", "chunk": "split"}.get(name, name.replace("_", " "))


def _sum(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Word:
    number = _number(args)
    if number is not None:
        return "scale", f"{number:g} − x" if name == "rsub" else f"{'−' if 'sub' in name else '+'} {number:g}"
    alpha = kwargs.get("alpha", 1)
    sign = "−" if "sub" in name else "+"
    return "add", sign if isinstance(alpha, Tensor) or alpha == 1 else f"x {sign} {alpha:g} f(x)"


def _number(args: tuple[Any, ...]) -> float | None:
    return next((float(arg) for arg in args if isinstance(arg, (int, float))), None)


def _conv(layer: nn.Conv2d) -> str:
    (height, width), stride = layer.kernel_size, layer.stride
    depthwise = layer.groups == layer.in_channels > 1
    text = f"{'depthwise' if depthwise else 'conv'} {height}×{width}"
    text += _stride(stride)
    if layer.groups > 1 and not depthwise:
        text += f", {layer.groups} groups"
    if layer.dilation != (1, 1):
        text += f", dilation {layer.dilation[0]}"
    # The Inception papers mark with V what is not padded to keep its size.
    return text + (" V" if max(height, width) > 1 and layer.padding in ((0, 0), "valid") else "")


def _pool(kind: str, kernel: Any, stride: Any) -> str:
    height, width = kernel if isinstance(kernel, (tuple, list)) else (kernel, kernel)
    return f"{kind} pool {height}×{width}{_stride(kernel if stride is None else stride)}"


def _stride(stride: Any) -> str:
    vertical, horizontal = stride if isinstance(stride, (tuple, list)) else (stride, stride)
    if vertical == horizontal:
        return f" /{vertical}" if vertical != 1 else ""
    return f" /{vertical}×{horizontal}"
