"""Convolutions of `paribus.models.blocks` against float64, in a process that may die of them.

`python convolve.py THREADS` reads cases from its standard input, one JSON list of `Case` fields a line, and writes each
case's name before it runs and `name: error` after it, so that a crash names the case.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from factors import SIBLINGS, cases
from torch import nn

from paribus.models.blocks import conv
from paribus.models.build import outline
from paribus.recipe.families.family import Family

# Float32 rounds these sums to 1e-6 of the largest; the wrong kernels seen were off by 0.02 to 0.8.
ALLOWED = 1e-4
# A damaged heap may spin for ever. A child takes about ten seconds of a processor.
PATIENCE_S = 280.0
# glibc's checking allocator ends the process when a block is freed that was written past its end.
_CHECKED = next(map(str, Path("/lib").glob("*-linux-gnu/libc_malloc_debug.so.0")), "")
CHECKING = {"LD_PRELOAD": _CHECKED, "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "85"} if _CHECKED else {}

Kind = tuple[tuple[int, int], int, str, str]  # kernel, stride, padding, groups: "one", "few" or "each"


class Case(NamedTuple):
    """One convolution on images (num, in_channels, size, size)."""

    kernel: tuple[int, int]
    stride: int
    padding: str
    groups: int
    in_channels: int
    out_channels: int
    size: int
    channels_last: bool
    num: int

    def __str__(self) -> str:
        layout = "channels_last" if self.channels_last else "nchw"
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        shape = f"{self.num}x{self.in_channels}x{self.size}x{self.size}"
        kernel = f"{self.kernel[0]}x{self.kernel[1]}/{self.stride} {self.padding}{groups}"
        return f"{kernel} to {self.out_channels} on {shape} {layout}"


def kinds(model: Family) -> set[Kind]:
    """What kinds of convolution a net has; its layers' channels and sizes are left open."""
    return {
        (
            (part.kernel_size[0], part.kernel_size[1]),
            part.stride[0],
            "same" if part.padding != (0, 0) or part.kernel_size == (1, 1) else "valid",
            "one" if part.groups == 1 else "each" if part.groups == part.in_channels else "few",
        )
        for part in outline(model, 3, 10).modules()
        if isinstance(part, nn.Conv2d)
    }


@cache
def all_kinds() -> frozenset[Kind]:
    """Of every level of every family; no published net has another (tests/benchmarks/models/sweep_convolutions.py)."""
    return frozenset(found for each in SIBLINGS.values() for case in cases(each) for found in kinds(case.after))


def made(kind: Kind, inside: int, outside: int, size: int, *, channels_last: bool) -> Case | None:
    """The kind at these channels and this side, or None where it has no such case."""
    kernel, stride, padding, grouped = kind
    outside = inside if grouped == "each" else outside
    groups = {"one": 1, "each": inside, "few": 2}[grouped]
    if inside % groups or outside % groups or (padding == "valid" and size < max(kernel)):
        return None
    return Case(kernel, stride, padding, groups, inside, outside, size, channels_last, 2 if size > 32 else 3)


def faults(searched: Iterable[Case], threads: int, isa: str) -> dict[str, str]:
    """Case to what went wrong: those that differ from float64, and the one at which the process died or hung.

    Damage may be found late, in the case after the one that did it.
    """
    environment: Mapping[str, str] = {"ONEDNN_MAX_CPU_ISA": isa, **CHECKING}
    given = "\n".join(json.dumps(case) for case in searched)
    try:
        done = subprocess.run(
            [sys.executable, __file__, str(threads)],
            input=given, capture_output=True, text=True, timeout=PATIENCE_S, env=os.environ | environment, check=False,
        )  # fmt: skip
        said = done.stdout
        end = f"the process ended with {done.returncode} {done.stderr[-200:].strip()}" if done.returncode else ""
    except subprocess.TimeoutExpired as late:
        said, end = (late.stdout or b"").decode(), f"no end within {PATIENCE_S:.0f} s"
    lines = said.splitlines()
    wrong = {}
    for line in lines:
        name, _, error = line.partition(": ")
        if error and not float(error) <= ALLOWED:
            wrong[name] = f"off by {float(error):.2g} of the largest value"
    if end:
        last, _, error = lines[-1].partition(": ") if lines else ("before the first case", "", "")
        wrong[last] = end + (", after it" if error else ", in it")
    return wrong


def _main(threads: int) -> None:
    torch.set_num_threads(threads)
    for line in sys.stdin:
        kernel, *others = json.loads(line)
        case = Case(tuple(kernel), *others)
        print(case, flush=True)
        print(f"{case}: {_error(case)}", flush=True)


def _error(case: Case) -> float:
    """The largest |given - exact| / max |exact| of the output and of the gradients of input and weight."""
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(case.num, case.in_channels, case.size, case.size, generator=generator)
    layer = conv(
        case.in_channels, case.out_channels, case.kernel, case.stride, groups=case.groups,
        padding="valid" if case.padding == "valid" else "same",
    )  # fmt: skip
    torch.nn.init.normal_(layer.weight, generator=generator)
    passes = []
    for dtype in (torch.float32, torch.float64):
        layer = layer.to(dtype, memory_format=layout)
        layer.weight.grad = None
        x = images.to(dtype, memory_format=layout, copy=True).requires_grad_()
        y = layer(x)
        y.backward(y.detach())
        assert x.grad is not None
        assert layer.weight.grad is not None
        passes.append([part.detach().double() for part in (y, x.grad, layer.weight.grad)])
    return max(((one - exact).abs().max() / exact.abs().max()).item() for one, exact in zip(*passes, strict=True))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
