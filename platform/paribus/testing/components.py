"""The contracts of the components of a recipe."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from paribus.keyed_draws import global_draws, keyed
from paribus.models.build import build
from paribus.models.layers import activation, attention, norm
from paribus.plugins import place_of
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import kind_of
from paribus.recipe.components.own import arguments, load
from paribus.recipe.families.brought import Brought
from paribus.recipe.families.family import Family
from paribus.testing.sentences import said

_CHANNELS, _CLASSES, _SIDE = 8, 4, 8


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
    check_names(model)

    def run() -> list[Tensor]:
        net = build(model, in_channels, _CLASSES, 1)
        _seed_masks(net)
        logits = net.train()(_numbers(2, in_channels, size, size))
        if logits.shape != (2, _CLASSES):
            raise RecipeError(f"{whose} gives {tuple(logits.shape)} for two images and {_CLASSES} classes: (2, 4)")
        logits.square().mean().backward()
        return [logits.detach(), *(each.grad for each in net.parameters() if each.grad is not None)]

    _check_runs(run, whose)


def check_names(model: Family) -> None:
    """RecipeError where a user's net has an argument that every model has a field for: it would not be reached."""
    if isinstance(model, Brought) and place_of("model", model.family) is not None:
        taken = arguments(load(model.family, "model"), frozenset()).model_fields.keys() & Family.model_fields.keys()
        if taken:
            raise RecipeError(
                f"model {model.family!r} has an argument {min(taken)!r}, and that is a field of every model of a "
                "recipe, which does not reach into yours: give the argument another name"
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
    with said(whose), torch.device("meta"), torch.no_grad():
        layer = make(value, _CHANNELS)
        layer(torch.empty(2, _CHANNELS, 4, 4))
    layer.__dict__.pop("paribus_remake", None)
    _check_pickles(layer, whose)


def _check_runs(run: Callable[[], list[Tensor]], whose: str) -> None:
    before = global_draws()
    with said(whose):
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


def _with_gradients(values: list[Tensor], inputs: list[Tensor], whose: str) -> list[Tensor]:
    gradients = [each.grad for each in inputs if each.grad is not None]
    if inputs[0].grad is None:
        raise RecipeError(f"{whose} passes no gradient back to its input")
    return [each.detach() for each in values] + gradients


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
