"""How many of timm's convolutional nets train two steps as they are: `python tests/benchmarks/models/timm_nets.py`.

A net is convolutional if it has a 2-D convolution other than its first with a kernel above 1, and no attention over
tokens. Each is the smallest of its module (the file that defines it), or, with `--every`, each one; it takes two steps
of SGD on two images of 64 pixels, of 128 where those are too small, or of the size that it was published for. Prints
what fails and why, and the share that trains.

With `--kept FILE` each net is a process of its own with a limit of time and memory, in an order that is random and the
same each time, so that a part of them is a fair sample; what has a row in the file (JSON, one a line) is not run again.
"""

import argparse
import json
import multiprocessing
import multiprocessing.connection
import random
import resource
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import timm
import torch
from torch import nn

from paribus.models.build import build
from paribus.models.dropout import dropout_layers, seed_dropout
from paribus.recipe.families.brought import Brought

_CLASSES, _LIMIT_S, _MOST_BYTES = 4, 120, 10 * 2**30
_SMALL = ("test_", "atto", "femto", "pico", "nano", "tiny", "18", "_s0", "_b0", "small")


def is_convolutional(net: nn.Module) -> bool:
    """Whether convolutions mix neighbouring pixels behind the stem, and no attention over tokens does."""
    convs = [each for each in net.modules() if isinstance(each, nn.Conv2d)]
    kinds = {type(each).__name__.lower() for each in net.modules()}
    tokens = [kind for kind in kinds if "attention" in kind or ("attn" in kind and "split" not in kind)]
    tokens += kinds & {"mhsa", "lambdalayer", "multiheadattention"}
    return not tokens and any(max(each.kernel_size) > 1 for each in convs[1:])


def candidates(every: bool, most_params: float) -> list[str]:
    """The names of the nets, one or all of each of timm's modules."""
    chosen = []
    for module in timm.list_modules():
        names = [name for name in timm.list_models(module=module) if "pretrained" not in name]
        small = sorted(names, key=lambda name: (not any(word in name for word in _SMALL), len(name), name))
        sizes = {}
        for name in names if every else small[:2]:
            with suppress(Exception), torch.device("meta"):  # a constructor that looks at values, or a net of one size
                net = timm.create_model(name, num_classes=_CLASSES)
                size = sum(each.numel() for each in net.parameters())
                if is_convolutional(net) and size < most_params:
                    sizes[name] = size
        chosen += list(sizes) if every else sorted(sizes, key=lambda name: sizes[name])[:1]
    return chosen


def train_two_steps(name: str, size: int) -> None:
    """Raise what training `name` on images of `size` pixels raises."""
    model = Brought(family=f"timm:{name}")
    net = build(model, 3, _CLASSES, 1).train()
    masks = dropout_layers(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for step in range(2):
        seed_dropout(masks, 1, step)
        images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(step))
        loss = nn.functional.cross_entropy(net(images), torch.tensor([0, 1]))
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss), f"loss {loss.item()}"


def tried(name: str) -> dict[str, object]:
    """What became of a net: the pixels that it trained on, or why it did not."""
    sizes = list(dict.fromkeys((64, 128, published_size(name))))
    begun = time.monotonic()
    fault = ""
    for size in sizes:
        try:
            train_two_steps(name, size)
            return {"net": name, "size": size, "seconds": round(time.monotonic() - begun, 1)}
        except Exception as error:
            fault = f"{type(error).__name__}: {str(error)[:300]}"
            if isinstance(error, (MemoryError, TimeoutError)):
                break
    return {"net": name, "fault": fault, "seconds": round(time.monotonic() - begun, 1)}


def published_size(name: str) -> int:
    """The side of the images that timm's configuration of a net has."""
    found = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return int(found.input_size[-1]) if found is not None else 224


def alone(name: str) -> dict[str, object]:
    """`tried` in a process of its own, which may die."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_send, args=(theirs, name))
    begun = time.monotonic()
    process.start()
    theirs.close()
    try:
        row = (
            ours.recv()
            if ours.poll(10 * _LIMIT_S)
            else {"net": name, "fault": f"TimeoutError: more than {10 * _LIMIT_S} s"}
        )
    except EOFError:
        process.join()
        row = {"net": name, "fault": f"its process ended with {process.exitcode}"}
    process.kill()
    process.join()
    return {"seconds": round(time.monotonic() - begun, 1), **row}


def _send(pipe: multiprocessing.connection.Connection, name: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, _LIMIT_S)  # of the CPU: a machine may be crowded
    pipe.send(tried(name))


def sweep(names: list[str], kept: Path | None, until: float) -> list[dict[str, object]]:
    """A row for each of `names` that there was time for."""
    rows = {}
    if kept is not None and kept.exists():
        rows = {row["net"]: row for row in map(json.loads, kept.read_text().splitlines())}
    for name in random.Random(0).sample(names, len(names)) if kept else names:
        if name in rows or time.monotonic() > until:
            continue
        rows[name] = alone(name)
        if "fault" in rows[name]:
            print(f"{name}: {rows[name]['fault']}", flush=True)
        if kept is not None:
            with kept.open("a") as file:
                file.write(json.dumps(rows[name]) + "\n")
    return [row for name, row in rows.items() if name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--params", type=float, default=60e6, help="leave larger nets out")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kept", type=Path, help="a file for the rows, read and continued where it is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = candidates(options.every, options.params)
    print(f"{len(names)} nets", flush=True)
    rows = sweep(names, options.kept, time.monotonic() + 60 * options.minutes)
    faults = [row for row in rows if "fault" in row]
    share = 100 * (len(rows) - len(faults)) / max(1, len(rows))
    sizes = Counter(row["size"] for row in rows if "size" in row)
    print(f"{len(rows) - len(faults)} of {len(rows)} nets ({share:.1f} %), {len(names)} known; by pixels {dict(sizes)}")
    sys.exit(len(faults) > 0.05 * len(rows))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {_LIMIT_S} s of the CPU")


if __name__ == "__main__":
    main()
