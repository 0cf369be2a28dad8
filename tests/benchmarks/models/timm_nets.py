"""How many of timm's convolutional nets train two steps as they are: `python tests/benchmarks/models/timm_nets.py`.

A net is convolutional if it has a 2-D convolution other than its first with a kernel above 1, and no attention over
tokens. Each is the smallest of its module (the file that defines it), or, with `--every`, each one; it takes two steps
of SGD on two images of 64 pixels, or 128 where those are too small. Prints what fails and why, and the
share that trains.
"""

import argparse
import signal
import sys
import time
from contextlib import suppress

import timm
import torch
from torch import nn

from paribus.models.build import build
from paribus.models.dropout import dropout_layers, seed_dropout
from paribus.recipe.families.brought import Brought

_CLASSES, _LIMIT_S = 4, 120
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--params", type=float, default=60e6, help="leave larger nets out")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = candidates(options.every, options.params)
    begun = time.monotonic()
    print(f"{len(names)} nets", flush=True)
    signal.signal(signal.SIGALRM, _too_long)
    done, faults = 0, {}
    for name in names:
        if time.monotonic() - begun > 60 * options.minutes:
            break
        done += 1
        signal.alarm(_LIMIT_S)
        try:
            try:
                train_two_steps(name, 64)
            except RuntimeError:  # too small an input
                train_two_steps(name, 128)
        except Exception as error:
            faults[name] = f"{type(error).__name__}: {str(error)[:160]}"
            print(f"{name}: {faults[name]}", flush=True)
        finally:
            signal.alarm(0)
    print(
        f"{done - len(faults)} of {done} nets ({100 * (done - len(faults)) / max(1, done):.1f} %), {len(names)} known"
    )
    sys.exit(len(faults) > 0.05 * done)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {_LIMIT_S} s")


if __name__ == "__main__":
    main()
