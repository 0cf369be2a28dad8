"""The device of a trial and how torch computes there: on how many cores, how exactly, and the same each time."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from paribus.recipe import Recipe
from paribus.recipe.budget import Numerics
from paribus.training.errors import TrainingError
from paribus.training.ranks.group import ALONE, Ranks

_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_NO_OTHER_WAY = "does not have a deterministic implementation"


def ready_device(recipe: Recipe, ranks: Ranks = ALONE) -> torch.device:
    """The device that the recipe asks for, one of its own for each rank, which computes as `numerics` says.

    Raises:
        TrainingError: more GPUs are asked for than torch sees.
    """
    use_cpus(recipe, ranks)
    device = _device(recipe, ranks)
    compute_as(recipe.numerics, device)
    return device


def _device(recipe: Recipe, ranks: Ranks) -> torch.device:
    if recipe.resources.gpus == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TrainingError(
            f"resources.gpus = {recipe.resources.gpus:g}, but torch {torch.__version__} sees no CUDA device here: "
            "set resources.gpus=0 to train on the CPU, or check the driver with nvidia-smi"
        )
    if torch.cuda.device_count() < ranks.size:
        raise TrainingError(
            f"resources.gpus = {recipe.resources.gpus:g}, but torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA devices here: set resources.gpus to that, or check with nvidia-smi"
        )
    if ranks.size > 1:
        torch.cuda.set_device(ranks.rank)
    torch.cuda.reset_peak_memory_stats()
    return torch.device("cuda", torch.cuda.current_device())


def use_cpus(recipe: Recipe, ranks: Ranks = ALONE) -> None:
    """As many threads of torch as the recipe has CPUs, shared by the ranks: more than idle cores make nets of small
    images many times slower, not faster."""
    torch.set_num_threads(max(1, int(recipe.resources.cpus / ranks.size)))
    # A thread that has not computed yet takes its number when it first does, and by then the feed's threads have set
    # theirs: so the first trial of a process would train on one core, and not be to the bit what a later one is.
    torch.get_num_threads()


def compute_as(numerics: Numerics, device: torch.device) -> None:
    """Have torch compute in this process, from now on, as `numerics` asks: nothing that a trial before set is left.

    On a CPU torch computes the same each time as it is. On a GPU its own defaults do not: convolutions of float32
    multiply 10-bit fractions (TF32), and some operations add in any order.
    (docs.pytorch.org/docs/stable/notes/randomness.html, notes/cuda.html)
    """
    on_gpu = device.type == "cuda"
    deterministic = on_gpu and numerics.deterministic
    if numerics.compile:  # told, the compiler picks no kernels by timing them; to tell it loads it
        torch.use_deterministic_algorithms(deterministic)
    else:
        torch.set_deterministic_debug_mode("error" if deterministic else "default")
    # It would fill every new tensor, and no operation of ours reads what nobody wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if not on_gpu:
        return
    # Read once, at the first product of a process, which may be of a trial that asks for no determinism.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    float32 = "tf32" if numerics.precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = float32
    torch.backends.cudnn.conv.fp32_precision = float32  # type: ignore[attr-defined]
    # A search for the fastest algorithm finds another one on another day.
    torch.backends.cudnn.benchmark = not numerics.deterministic


def autocast(device: torch.device, numerics: Numerics) -> AbstractContextManager[Any]:
    """Within the block a net on `device` computes in the precision that the recipe names."""
    half = _HALVES.get(numerics.precision)
    return torch.autocast(device.type, dtype=half or torch.bfloat16, enabled=half is not None)


@contextmanager
def same_each_time() -> Iterator[None]:
    """Within the block an operation that has no deterministic algorithm is a TrainingError that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if _NO_OTHER_WAY not in str(error):
            raise
        raise TrainingError(
            f"torch computes {str(error).partition(' ')[0]!r} on a GPU in no way that is the same each time: leave it "
            "out of the net, the loss or the augmentation that calls it, or set numerics.deterministic=False, and the "
            "report says that these trials cannot be had twice"
        ) from error
