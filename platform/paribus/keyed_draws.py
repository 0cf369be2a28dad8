"""Random numbers for code that asks for none in particular: torch's, drawn from a key and not from a global generator.

torchvision's transforms, layers that initialise themselves and what users bring call `torch.rand` and its like. Within
`keyed(seed)` those calls of this thread draw from a generator of their own: it needs no lock, as seeding the global
generator would, and leaves the global one as it was.
"""

import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

_DRAWING = frozenset(
    (
        *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.multinomial, torch.bernoulli),
        *(torch.poisson, torch._sample_dirichlet, torch._standard_gamma),
        *(Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.bernoulli_, Tensor.exponential_, Tensor.cauchy_),
        *(Tensor.log_normal_, Tensor.geometric_, Tensor.multinomial, Tensor.bernoulli),
        # These come to a mode as a whole: what they call inside does not.
        *(init.uniform_, init.normal_, init.kaiming_uniform_, init.kaiming_normal_, init.trunc_normal_),
        *(init.xavier_uniform_, init.xavier_normal_, init.orthogonal_, init.sparse_),
    )
)
_LIKE: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.rand_like: lambda x, draw, **options: torch.rand(x.shape, generator=draw, **options),
    torch.randn_like: lambda x, draw, **options: torch.randn(x.shape, generator=draw, **options),
}


class _Keyed(TorchFunctionMode):
    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _DRAWING and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        elif func in _LIKE:
            options = {"dtype": kwargs.pop("dtype", args[0].dtype), "device": args[0].device, **kwargs}
            options.pop("memory_format", None)
            return _LIKE[func](args[0], self.generator, **options)
        return func(*args, **kwargs)


@contextmanager
def keyed(seed: int) -> Iterator[None]:
    """Within the block this thread's draws by torch on the CPU are those of a generator with `seed`."""
    with _Keyed(torch.Generator().manual_seed(seed)):
        yield


def global_draws() -> tuple[Any, ...]:
    """The states of the global generators of torch, NumPy and Python: equal before and after what draws from none."""
    state = np.random.get_state(legacy=False)
    return bytes(torch.get_rng_state().numpy()), pickle.dumps(state), random.getstate()
