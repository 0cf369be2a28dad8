"""Contract tests of components: what Paribus runs on ours, and on yours before a study trains. Run them on your own:

    from paribus.testing import check_activation

    def test_snake():
        check_activation("my_parts:Snake", alpha=0.5)

Each raises RecipeError, a sentence, for what breaks the contract: it cannot be made or pickled, does not keep shapes,
gives or passes back what is not finite, gives another result the second time, or draws from a global generator.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from paribus.keyed_draws import global_draws, keyed
from paribus.metrics.examples import Examples
from paribus.models.build import build, outline
from paribus.models.layers import activation, attention, norm
from paribus.plugins import has_own
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.component import as_text, components, kind_of
from paribus.recipe.own import is_own
from paribus.study.own_metrics import load_metric

__all__ = [
    "check_activation",
    "check_attention",
    "check_augmentation",
    "check_block",
    "check_loss",
    "check_metric",
    "check_mix",
    "check_model",
    "check_norm",
    "check_optimizer",
    "check_recipe",
    "check_schedule",
]

_CHANNELS, _CLASSES, _SIDE = 8, 4, 8
# Transforms of single images.
_SINGLE = ("augment.policy", "augment.colour", "augment.erasing")


def check_activation(reference: str, **arguments: Any) -> None:
    """An activation of (N, C, H, W), shape kept: ours by name, or `"module:Name"`; `arguments` are its fields."""
    _check_layer(_recipe("model.activation", reference, arguments).model.activation, activation, "activation")


def check_norm(reference: str, **arguments: Any) -> None:
    """A norm of (N, C, H, W), shape kept."""
    _check_layer(_recipe("model.norm", reference, arguments).model.norm, norm, "norm")  # type: ignore[union-attr]


def check_attention(reference: str, **arguments: Any) -> None:
    """An attention module of (N, C, H, W), shape kept."""
    recipe = _recipe("model.se.module", reference, arguments)
    _check_layer(recipe.model.se.module, attention, "attention")  # type: ignore[union-attr]


def check_block(reference: str, **arguments: Any) -> None:
    """A block, the branch of a residual unit: (N, C, H, W) to (N, D, H, W), and to (N, D, H/2, W/2) at stride 2."""
    from paribus.models.families.own_block import block

    value = _recipe("model.block", reference, arguments).model.block  # type: ignore[union-attr]
    for channels, stride in ((_CHANNELS, 1), (2 * _CHANNELS, 2)):
        _check_layer(value, partial(block, channels=channels, stride=stride), "block", (channels, 4 // stride))


def check_loss(reference: str, *, soft: bool = True, **arguments: Any) -> None:
    """A loss of logits (N, K) and labels (N,), one number an example; where `soft` of probabilities (N, K) too, which
    it gets where labels are smoothed or mixed."""
    from paribus.training.losses import Loss

    recipe = _recipe("loss", reference, arguments)
    for changes in ({}, {"training.label_smoothing": 0.1})[: 1 + soft]:
        loss = Loss(recipe.replace(changes))

        def run(loss: Loss = loss) -> list[Tensor]:
            logits = _numbers(6, _CLASSES).requires_grad_()
            value = loss(logits, torch.arange(6) % _CLASSES)
            value.backward()  # type: ignore[no-untyped-call]
            return _with_gradients([value], [logits], f"loss {kind_of(recipe.loss)!r}")

        _check_runs(run, f"loss {kind_of(recipe.loss)!r}")
        _check_pickles(loss.per_example, f"loss {kind_of(recipe.loss)!r}")


def check_optimizer(reference: str, **arguments: Any) -> None:
    """An optimizer in the manner of torch.optim: three steps, and three more from its state as from its own."""
    from paribus.training.flat import parameter_groups
    from paribus.training.optimizers import make_optimizer

    recipe = Recipe().replace({"optimizer.kind": reference, **_prefixed("optimizer", arguments)})
    whose = f"optimizer {reference!r}"

    def run(resumes: bool = False) -> list[Tensor]:
        with keyed(0):
            net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, _CLASSES))
        vectors = parameter_groups(net, recipe.optimizer.decay_norms_and_biases)
        optimizer = make_optimizer(recipe.optimizer, *vectors, net)
        for step in range(6):
            if resumes and step == 3:
                state = pickle.loads(pickle.dumps(optimizer.state_dict()))
                optimizer = make_optimizer(recipe.optimizer, *vectors, net)
                optimizer.load_state_dict(state)
            for vector in vectors:
                if vector is not None and vector.grad is not None:
                    vector.grad.zero_()
            net(_numbers(2, 3, 4, 4, seed=step)).square().mean().backward()
            optimizer.step()
        return [each.detach().clone() for each in net.parameters()]

    _check_runs(run, whose)
    if not all(map(torch.equal, run(), run(resumes=True))):
        raise RecipeError(
            f"{whose} goes on otherwise from its state_dict than by itself: keep all it needs in its state"
        )


def check_schedule(reference: str, **arguments: Any) -> None:
    """A schedule: the rate's factor as a function of the part of the budget that is done."""
    from paribus.training.schedules import factor_at

    schedule = Recipe().replace({"schedule.kind": reference, **_prefixed("schedule", arguments)}).schedule
    _check_runs(
        lambda: [torch.tensor([factor_at(step, schedule, 20, 5) for step in range(20)])], f"schedule {reference!r}"
    )


def check_augmentation(reference: str, *, field: str = "policy", **arguments: Any) -> None:
    """A transform of one image (C, H, W): uint8 for the fields `policy` and `colour`, float32 for `erasing`."""
    from paribus.data.augment import Draw
    from paribus.data.transforms import erased, transform_of, transformed
    from paribus.shards.counters import sample_ids

    augment = _recipe(f"augment.{field}", reference, arguments).augment
    whose = f"augmentation {kind_of(getattr(augment, field))!r}"
    draw = Draw(sample_ids([f"{number}" for number in range(6)]), 1, 2)
    pixels = (_numbers(6, 3, _SIDE, _SIDE).sigmoid() * 255).to(torch.uint8)

    def run() -> list[Tensor]:
        if field == "erasing":
            return [erased(pixels / 255, augment, draw)]
        images = pixels.permute(0, 2, 3, 1).contiguous().numpy()
        return [torch.from_numpy(transformed(images, augment, draw)).float()]

    _check_runs(run, whose)
    _check_pickles(transform_of(getattr(augment, field)), whose)


def check_mix(reference: str, **arguments: Any) -> None:
    """What mixes a batch: images (N, C, H, W) and labels (N,) in, images and probabilities (N, K) out."""
    from paribus.training.mixing import mixing

    value = _recipe("augment.mix", reference, arguments).augment.mix
    mix = mixing(value, _CLASSES, 1)
    assert mix is not None, "none mixes nothing"
    images, labels = _numbers(6, 3, _SIDE, _SIDE), torch.arange(6) % _CLASSES
    _check_runs(lambda: list(mix(images.clone(), labels.clone(), 3)), f"mix {kind_of(value)!r}")


def check_model(reference: str, *, size: int = 32, in_channels: int = 3, **arguments: Any) -> None:
    """A model family: two images (2, C, size, size) to logits, forward and back, alike for one init seed."""
    model = Recipe().replace({"model": _text(reference, arguments)}).model
    whose = f"model {reference!r}"

    def run() -> list[Tensor]:
        net = build(model, in_channels, _CLASSES, 1)
        _seed_masks(net)
        logits = net.train()(_numbers(2, in_channels, size, size))
        if logits.shape != (2, _CLASSES):
            raise RecipeError(f"{whose} gives {tuple(logits.shape)} for two images and {_CLASSES} classes: (2, 4)")
        logits.square().mean().backward()
        return [logits.detach(), *(each.grad for each in net.parameters() if each.grad is not None)]

    _check_runs(run, whose)


def check_metric(reference: str) -> None:
    """A metric's function: on the examples of a fair net, of one that predicts one class, and of one that is right."""
    whose = f"metric {reference!r}"
    with _said(whose):
        metric = load_metric(reference)
    for examples in _examples():
        columns: dict[str, Any] = {name: examples.column(name) for name in metric.needs}
        kept = Examples(**columns)
        before = global_draws()
        with _said(f"{whose}, which is given the columns that it needs ({', '.join(metric.needs) or 'none'}),"):
            first, again, turned = metric.of(kept), metric.of(kept), metric.of(kept.taken(np.arange(kept.n)[::-1]))
            values = metric.values(kept)
        if global_draws() != before or first != again:
            raise RecipeError(f"{whose} gives another value the second time, or draws from a global generator")
        if first is None or turned is None or not np.isfinite(first):
            raise RecipeError(f"{whose} is {first} of a net's examples: it should be a number for every net")
        if not np.isclose(first, turned, rtol=1e-9):
            raise RecipeError(f"{whose} is {first!r}, and {turned!r} of the same examples in another order")
        if values is not None and (values.shape != (kept.n,) or not np.isclose(metric.scale * values.mean(), first)):
            raise RecipeError(
                f"{whose} has per_example values of the shape {values.shape} whose mean times {metric.scale:g} is "
                f"{metric.scale * values.mean():g}, and is {first:g}: the two should agree"
            )


def check_recipe(recipe: Recipe, tried: set[object] | None = None) -> None:
    """Every component from outside that a recipe names, and its net on two images, without values (the meta device).

    What is in `tried`, which other recipes of a study have filled, is not tried again.
    """
    tried = set() if tried is None else tried
    for what, check in _checks_of(recipe):
        if what not in tried:
            check()
            tried.add(what)


def _checks_of(recipe: Recipe) -> Iterator[tuple[object, Callable[[], object]]]:
    """Each check that `recipe` asks for, and by what it is known again."""
    checks: dict[str, Callable[..., None]] = {
        "model.activation": check_activation,
        "model.norm": check_norm,
        "model.se.module": check_attention,
        "model.block": check_block,
        "loss": check_loss,
        "augment.policy": check_augmentation,
        "augment.colour": check_augmentation,
        "augment.erasing": check_augmentation,
        "augment.mix": check_mix,
    }
    for path, _, value in components(recipe):
        if is_own(kind_of(value)) and path in checks:
            options: dict[str, Any] = {"field": path.rpartition(".")[2]} if path in _SINGLE else {}
            if path == "loss":
                options["soft"] = recipe.training.label_smoothing > 0 or recipe.augment.mix != "none"
            yield (path, as_text(value), options.get("soft")), partial(checks[path], as_text(value), **options)
    if is_own(recipe.optimizer.kind):
        found = recipe.optimizer
        yield found.model_dump_json(), partial(check_optimizer, found.kind, **_set(found))
    if is_own(recipe.schedule.kind):
        schedule = recipe.schedule
        yield schedule.model_dump_json(), partial(check_schedule, schedule.kind, **_set(schedule))
    if recipe.data.stages:
        from paribus.data.own_stages import load_stages

        yield recipe.data.stages, partial(load_stages, recipe.data.stages)
    for reference in recipe.metrics:
        yield ("metric", reference), partial(check_metric, reference)
    size = recipe.data.size or max(32, recipe.model.min_size)
    if has_own(recipe.model):
        yield (recipe.model.model_dump_json(), size), partial(_check_net, recipe, size)


def _check_net(recipe: Recipe, size: int) -> None:
    with _said(f"the net {recipe.model.name}"):
        net = outline(recipe.model, 3, _CLASSES).eval()
        with torch.no_grad():
            logits = net(torch.empty(2, 3, size, size, device="meta"))
    if logits.shape != (2, _CLASSES):
        raise RecipeError(
            f"the net {recipe.model.name} gives {tuple(logits.shape)} for two images, four classes: (2, 4)"
        )


def _check_layer(
    value: Any, make: Callable[..., nn.Module], place: str, gives: tuple[int, int] = (_CHANNELS, 4)
) -> None:
    """`gives` are the channels and the side of what it makes of `_CHANNELS` maps of side 4."""
    whose = f"{place} {kind_of(value)!r}"

    def run() -> list[Tensor]:
        with keyed(1):
            layer = make(value, _CHANNELS)
        x = _numbers(2, _CHANNELS, 4, 4).requires_grad_()
        y = layer(x * 1.0)
        expected = (2, gives[0], gives[1], gives[1])
        if not isinstance(y, Tensor) or y.shape != expected:
            shown = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            told = "keep the shape" if expected == x.shape else f"give {expected}"
            raise RecipeError(f"{whose} gives {shown} of {tuple(x.shape)}: it should {told}")
        y.square().mean().backward()  # type: ignore[no-untyped-call]
        return _with_gradients([y.detach()], [x, *layer.parameters()], whose)

    _check_runs(run, whose)
    with _said(whose), torch.device("meta"), torch.no_grad():
        layer = make(value, _CHANNELS)
        layer(torch.empty(2, _CHANNELS, 4, 4))
    layer.__dict__.pop("paribus_remake", None)
    _check_pickles(layer, whose)


def _check_runs(run: Callable[[], list[Tensor]], whose: str) -> None:
    before = global_draws()
    with _said(whose):
        first, second = run(), run()
    if global_draws() != before:
        raise RecipeError(
            f"{whose} draws from a global generator, so that arms would not be paired nor trials resumed: draw with "
            "torch.rand and its like in augmentations, which Paribus keys by the sample, and nothing in a forward pass"
        )
    if not all(torch.isfinite(each).all() for each in first):
        raise RecipeError(f"{whose} gives, or passes back, what is not finite on ordinary numbers")
    if len(first) != len(second) or not all(map(torch.equal, first, second)):
        raise RecipeError(f"{whose} gives another result the second time: it may depend on its input alone")


def _check_pickles(thing: Any, whose: str) -> None:
    try:
        pickle.dumps(thing)
    except Exception as error:
        raise RecipeError(
            f"{whose} cannot be pickled ({error}), as the way to other processes asks: define it at the top of its file"
        ) from None


@contextmanager
def _said(whose: str) -> Iterator[None]:
    """What a component raises, as a RecipeError that says whose it is."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise RecipeError(f"{whose} raised {type(error).__name__}: {error}") from error


def _with_gradients(values: list[Tensor], inputs: list[Tensor], whose: str) -> list[Tensor]:
    gradients = [each.grad for each in inputs if each.grad is not None]
    if inputs[0].grad is None:
        raise RecipeError(f"{whose} passes no gradient back to its input")
    return [each.detach() for each in values] + gradients


def _examples() -> Iterator[Examples]:
    draw = np.random.default_rng(0)
    label = np.arange(48, dtype=np.int32) % _CLASSES
    guess = np.where(draw.random(48) < 0.6, label, draw.integers(0, _CLASSES, 48)).astype(np.int32)
    for predicted in (guess, np.zeros_like(label), label):
        correct = predicted == label
        likely = draw.uniform(0.3, 0.9, 48).astype(np.float32)
        yield Examples(
            label=label,
            predicted=predicted,
            correct=correct,
            among5=np.ones(48, bool),
            log_likelihood=np.log(np.where(correct, likely, (1 - likely) / (_CLASSES - 1))),
            top_probability=likely,
            brier=np.where(correct, (1 - likely) ** 2, 1 + likely**2).astype(np.float32),
        )


def _seed_masks(net: nn.Module) -> None:
    from paribus.models.dropout import dropout_layers, seed_dropout

    seed_dropout(dropout_layers(net), 1, 0)


def _numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _recipe(path: str, reference: str, arguments: dict[str, Any]) -> Recipe:
    changes: dict[str, Any] = {path: _text(reference, arguments)}
    if path == "model.se.module":
        changes["model.se.place"] = "standard"
    return Recipe().replace(changes)


def _text(reference: str, arguments: dict[str, Any]) -> str:
    inside = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{reference}({inside})" if inside else reference


def _prefixed(part: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {f"{part}.{name}": value for name, value in arguments.items()}


def _set(part: Any) -> dict[str, Any]:
    return {name: value for name, value in part if name != "kind"}
