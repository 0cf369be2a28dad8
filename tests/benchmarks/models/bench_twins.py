"""Images per second in training: each net beside its twin in torchvision, timm or pytorchcv, in turns, in one process.

`bench_twins.py` on one core in eager float32; `--gpu` in compiled bfloat16, channels_last. Names after it pick pairs.
"""

import argparse
import platform
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.build import build
from paribus.recipe import SGD, Numerics, Recipe, Resources, Seeds
from paribus.recipe.model import by_name
from paribus.training.device import ready_device
from paribus.training.train_state import TrainState

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from pytorchcv.model_provider import get_model
    from pytorchcv.models.wrn_cifar import get_wrn_cifar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
Step = Callable[[], object]
LR = 0.001


@dataclass(frozen=True)
class Pair:
    """A published net, how its twin is made, the side of the images in pixels and their number in a batch."""

    name: str
    twin: Callable[[], nn.Module]
    size: int
    batch: int

    @property
    def recipe(self) -> Recipe:
        """Our net as the twin is: without dropout, whose masks are drawn in other ways."""
        model = by_name(self.name).model
        return Recipe(
            model=model.model_copy(update={"dropout": 0.0}),
            optimizer=SGD(lr=LR),
            numerics=Numerics(channels_last=True),
        )


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, pretrained=False)


def _inception_v3() -> nn.Module:
    made: nn.Module = torchvision.models.inception_v3(aux_logits=False, init_weights=False, dropout=0.0)
    return made


ON_CPU = (
    Pair("ResNet-20-B", lambda: get_model("resnet20_cifar10"), 32, 32),
    Pair("WRN-16-1", lambda: get_wrn_cifar(num_classes=10, blocks=16, width_factor=1), 32, 32),
    Pair("ResNet-18", torchvision.models.resnet18, 64, 16),
    Pair("SE-ResNeXt-50-32x4d", _timm("seresnext50_32x4d"), 64, 8),
    Pair("Inception-v3", _inception_v3, 107, 8),
    Pair("Inception-v4", _timm("inception_v4"), 107, 8),
    Pair("Inception-ResNet-v2-released", _timm("inception_resnet_v2"), 107, 8),
    Pair("Xception", _timm("legacy_xception"), 71, 8),
)
ON_GPU = (
    Pair("ResNet-50", torchvision.models.resnet50, 224, 256),
    Pair("WRN-28-10", lambda: get_model("wrn28_10_cifar10"), 32, 256),
    Pair("SE-ResNeXt-50-32x4d", _timm("seresnext50_32x4d"), 224, 256),
    Pair("Inception-v4", _timm("inception_v4"), 299, 128),
    Pair("Inception-ResNet-v2-released", _timm("inception_resnet_v2"), 299, 128),
    Pair("Xception", _timm("legacy_xception"), 299, 128),
)


def plain_step(net: nn.Module, images: Tensor, labels: Tensor, *, gpu: bool) -> Step:
    """Forward, backward and SGD, the same for our net and for theirs."""
    net = net.to(images.device, memory_format=torch.channels_last if gpu else torch.contiguous_format).train()
    optimizer = torch.optim.SGD(net.parameters(), LR, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=gpu)
    run = torch.compile(net) if gpu else net

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16) if gpu else nullcontext():
            loss = F.cross_entropy(run(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    return step


def learner_step(recipe: Recipe, images: Tensor, labels: Tensor, num_classes: int) -> Step:
    """What a trial of Paribus does in a step, its records of loss, gradient norm and health included."""
    from feed_shapes import FeedShapes

    shapes: Any = FeedShapes(3, num_classes)
    train_state = TrainState(recipe, Seeds.draw(0, 0), shapes, ready_device(recipe))
    return lambda: train_state.step(images, labels, 0, LR)


def contestants(pair: Pair, *, gpu: bool) -> dict[str, Step]:
    """The steps to be timed, by name; every net has as many parameters as its twin."""
    device = torch.device("cuda" if gpu else "cpu")
    recipe, num_classes = pair.recipe, by_name(pair.name).num_classes
    twin, ours = pair.twin(), build(recipe.model, 3, num_classes)
    counts = [sum(parameter.numel() for parameter in net.parameters()) for net in (twin, ours)]
    assert counts[0] == counts[1], f"{pair.name} has {counts[1]:,} parameters, its twin {counts[0]:,}"
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(pair.batch, 3, pair.size, pair.size, generator=generator).to(device)
    labels = torch.randint(num_classes, (pair.batch,), generator=generator).to(device)
    if gpu:
        images = images.to(memory_format=torch.channels_last)
        # Both as fast as they come; what determinism costs is measured by tests/gpu/determinism.py.
        numerics = Numerics(precision="bfloat16", channels_last=True, compile=True, deterministic=False)
        recipe = recipe.model_copy(update={"numerics": numerics, "resources": Resources(gpus=1.0)})
    return {
        "twin": plain_step(twin, images, labels, gpu=gpu),
        "ours": plain_step(ours, images, labels, gpu=gpu),
        "as trained": learner_step(recipe, images, labels, num_classes),
    }


def in_turns(steps: dict[str, Step], rounds: int, *, gpu: bool) -> dict[str, float]:
    """Seconds a step: the median of `rounds` turns, each in another random order, after two to warm up.

    On the CPU of processor time, so that other work on the machine counts little; on a GPU over ten steps at once.
    """
    # The least, which a quieter benchmark may take, differs by 5 % between two copies of one net on a busy machine.
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    names, repeats, orders = list(steps), 10 if gpu else 1, random.Random(0)
    clock = time.perf_counter if gpu else time.process_time
    for _ in range(rounds + 2):
        for name in orders.sample(names, len(names)):
            start = _synchronised(clock, gpu)
            for _ in range(repeats):
                steps[name]()
            seconds[name].append((_synchronised(clock, gpu) - start) / repeats)
    return {name: median(each[2:]) for name, each in seconds.items()}


def _synchronised(clock: Callable[[], float], gpu: bool) -> float:
    if gpu:
        torch.cuda.synchronize()
    return clock()


def measure(pairs: tuple[Pair, ...], rounds: int, *, gpu: bool) -> Iterator[tuple[Pair, dict[str, float]]]:
    """Images per second of each contestant, pair by pair."""
    for pair in pairs:
        seconds = in_turns(contestants(pair, gpu=gpu), rounds, gpu=gpu)
        yield pair, {name: pair.batch / each for name, each in seconds.items()}
        torch.compiler.reset()
        if gpu:
            torch.cuda.empty_cache()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NET", help="pairs to measure; none: all")
    parser.add_argument("--gpu", action="store_true", help="on a GPU: compiled, bfloat16, channels_last")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each pair")
    args = parser.parse_args()
    known = ON_GPU if args.gpu else ON_CPU
    if unknown := set(args.names) - {pair.name for pair in known}:
        parser.error(f"no pair {', '.join(unknown)}; there are {', '.join(pair.name for pair in known)}")
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = args.gpu
    device = torch.cuda.get_device_name() if args.gpu else f"one core, {platform.processor() or platform.machine()}"
    print(f"torch {torch.__version__}, {device}; images/s in training, and the ratio to the twin in the same run")
    print(f"{'net':<30} {'images':>12} {'twin':>9} {'ours':>9} {'':>6} {'as trained':>11}")
    below = []
    chosen = tuple(pair for pair in known if pair.name in args.names or not args.names)
    for pair, rate in measure(chosen, args.rounds, gpu=args.gpu):
        ratios = {name: rate[name] / rate["twin"] for name in rate}
        shape = f"{pair.batch}x{pair.size}x{pair.size}"
        print(
            f"{pair.name:<30} {shape:>12} {rate['twin']:>9.1f} {rate['ours']:>9.1f} x{ratios['ours']:.3f} "
            f"{rate['as trained']:>11.1f} x{ratios['as trained']:.3f}",
            flush=True,
        )
        below += [pair.name] if max(ratios["ours"], ratios["as trained"]) < 1 else []
    if below:
        print(f"below 1: {', '.join(below)}", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
