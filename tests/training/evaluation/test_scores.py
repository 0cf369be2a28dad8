"""Many views at an image: sums over them against a slow plain loop, and dense scores against every position's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from factors import SIBLINGS, Sibling
from PIL import Image
from torch import Tensor

from paribus.data import Originals, open_feed, open_originals
from paribus.images.decode import resize, sides
from paribus.metrics.known import METRICS, values_of
from paribus.models.build import build
from paribus.recipe import Recipe, Seeds
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder
from paribus.training import TrainingError, fit
from paribus.training.checkpoints.weights import encode_weights
from paribus.training.evaluation.evaluate import evaluate
from paribus.training.evaluation.scores import Trained, device_called, examples_of, scores
from paribus.training.evaluation.views import PROTOCOLS, VIEWS, views

CPU = torch.device("cpu")
SHAPES = ((20, 30), (30, 20), (17, 17), (16, 16), (50, 21), (20, 30))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six evaluation images of five shapes and two classes, in two shards."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for number, shape in enumerate(SHAPES):
            folder = root / "images" / split / f"class{number % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            coarse = generator.integers(0, 256, (*(-(-side // 5) for side in shape), 3), dtype=np.uint8)
            Image.fromarray(coarse).resize(shape[::-1]).save(folder / f"{number}.png")
    make_shards(image_folder(root / "images"), root / "shards", shard_size=3)
    return root / "shards"


@pytest.fixture(scope="module")
def recipe(pictures: Path) -> Recipe:
    changes = {"model.depth": 10, "model.width": 0.25, "data.shards": str(pictures), "data.size": 16}
    return Recipe().replace({**changes, "data.batch_size": 4, "data.eval_batch_size": 7})


@pytest.fixture(scope="module")
def originals(recipe: Recipe) -> Originals:
    return open_originals(recipe)


@pytest.fixture(scope="module")
def trained(recipe: Recipe, originals: Originals) -> Trained:
    net = build(recipe.model, originals.channels, originals.num_classes, init_seed=1)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(1))
        net.head.classifier.weight.mul_(4)
    return Trained(recipe, encode_weights(net), originals, CPU)


def plainly(trained: Trained, originals: Originals, crops: str) -> np.ndarray:
    """One look at a time: resize, cut, shrink, mirror, softmax; then the mean."""
    means = []
    for prepared in originals.prepared(np.arange(len(originals.keys)), 1, lambda pixels: pixels):
        pixels, seen = prepared.images[0], []
        for look in views(crops, *pixels.shape[:2], originals.size):
            image = resize(pixels, *sides(*pixels.shape[:2], look.short))
            top, left, height, width = look.box
            image = image[top : top + height, left : left + width]
            image = resize(image, originals.size, originals.size) if look.shrunk else image
            image = np.fliplr(image) if look.mirrored else image
            with torch.inference_mode():
                seen.append(torch.softmax(trained.net(originals.scaled([image]))[0].double(), 0).numpy())
        means.append(sum(seen) / len(seen))
    return np.stack(means)


@pytest.mark.parametrize("crops", VIEWS)
def test_scores_are_the_plain_mean_over_the_looks(crops: str, trained: Trained, originals: Originals) -> None:
    found = scores(trained, originals, np.arange(len(originals.keys)), crops)
    np.testing.assert_allclose(found, plainly(trained, originals, crops), atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1)
    assert found.max(1).min() < 0.99, "certain nets would show nothing"


@pytest.mark.parametrize("crops", PROTOCOLS)
def test_each_image_stands_for_itself(crops: str, trained: Trained, originals: Originals) -> None:
    rows = np.array([1, 4])
    told: list[int] = []
    alone = scores(trained, originals, rows, crops, told.append)
    np.testing.assert_allclose(alone, scores(trained, originals, np.arange(6), crops)[rows], atol=1e-6)
    assert sum(told) == 2


def test_dense_is_the_mean_of_the_class_scores_at_every_position(trained: Trained, originals: Originals) -> None:
    # VGG, section 3.2: the class score map of the whole image is spatially averaged, then the softmax is taken.
    maps: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda module, given, out: maps.append(out))
        for module in trained.net.modules()
        if module is not trained.net
    ]
    images = torch.randn(2, 3, 24, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pooled = trained.net.pooled(images)
    for hook in hooks:
        hook.remove()
    last = next(out for out in maps[::-1] if out.ndim == 4 and torch.allclose(out.mean((2, 3)), pooled, atol=1e-6))
    assert min(last.shape[2:]) > 1
    with torch.inference_mode():
        positions = trained.net.head(last.permute(0, 2, 3, 1).flatten(0, 2)).view(2, -1, originals.num_classes)
    expected = positions.double().mean(1).softmax(1)
    torch.testing.assert_close(trained.probabilities(images), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sibling", SIBLINGS.values(), ids=lambda sibling: sibling.base.family)
def test_a_net_of_every_family_can_be_asked_again_at_every_size(
    sibling: Sibling, recipe: Recipe, originals: Originals
) -> None:
    recipe = recipe.replace({"model": sibling.base})
    weights = encode_weights(build(recipe.model, originals.channels, originals.num_classes, init_seed=1))
    trained = Trained(recipe, weights, originals, CPU)
    for crops in ("1", "dense"):
        found = scores(trained, originals, np.array([0, 4]), crops)
        np.testing.assert_allclose(found.sum(1), 1)


@pytest.mark.parametrize("crop", ["none", "random_resized"])
def test_a_single_crop_gives_what_training_measured(recipe: Recipe, crop: str, seeds: Seeds) -> None:
    recipe = recipe.replace({"augment.crop": crop, "budget": "2 steps", "training.ema_decay": 0.5})
    result = fit(recipe, seeds, open_feed(recipe))
    assert result.weights is not None
    assert result.examples is not None
    originals = open_originals(recipe)
    trained = Trained(recipe, result.weights, originals, CPU)
    marks = examples_of(scores(trained, originals, np.arange(6)), originals.labels)
    assert list(originals.keys) == list(result.examples.keys)
    np.testing.assert_array_equal(marks.correct, result.examples.correct)
    np.testing.assert_allclose(marks.log_likelihood, result.examples.log_likelihood, rtol=1e-5)
    again = values_of(marks)
    assert again.keys() == METRICS.keys()
    for name, value in again.items():
        assert value == pytest.approx(result.metrics[name], rel=1e-4, abs=1e-5), name


def test_marks_are_those_of_the_evaluation_ties_too(feed) -> None:  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randint(0, 4, (feed.num_eval, 10), generator=generator).float()
    labels = torch.cat([batch.labels for batch in feed.evaluation()])
    given = iter(logits.split(100))
    metrics, examples = evaluate(lambda batch: (torch.ones(len(batch.labels), 1), next(given)), feed)
    marks = examples_of(logits.double().softmax(1).numpy(), labels.numpy())
    for name in ("label", "predicted", "correct", "among5"):
        np.testing.assert_array_equal(marks.column(name), examples.column(name))
    for name in ("log_likelihood", "top_probability", "brier"):
        np.testing.assert_allclose(marks.column(name), examples.column(name), rtol=1e-5)
    # Ties, slowly: the classes by falling score, of equal ones by number.
    for row, label, among, predicted in zip(logits.tolist(), labels, marks.among5, marks.predicted, strict=True):
        order = sorted(range(10), key=lambda number: (-row[number], number))
        assert predicted == order[0]
        assert among == (label in order[:5])
    assert metrics["top5"] == pytest.approx(100 * marks.among5.mean())


def test_a_class_that_was_held_impossible_has_no_finite_log_likelihood() -> None:
    marks = examples_of(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 1]))
    assert marks.log_likelihood.tolist() == [-np.inf, np.log(0.5)]
    assert marks.correct.tolist() == [False, False]
    assert marks.brier.tolist() == [2.0, 0.5]


def test_bfloat16_and_channels_last_compute_as_the_recipe_says(
    recipe: Recipe, trained: Trained, originals: Originals
) -> None:
    exact = scores(trained, originals, np.arange(6), "10")
    weights = encode_weights(trained.net)
    last = Trained(recipe.replace({"numerics.channels_last": True}), weights, originals, CPU)
    np.testing.assert_allclose(scores(last, originals, np.arange(6), "10"), exact, atol=1e-5)
    half = Trained(recipe.replace({"numerics.precision": "bfloat16"}), weights, originals, CPU)
    found = scores(half, originals, np.arange(6), "10")
    np.testing.assert_allclose(found, exact, atol=0.15)
    assert not np.array_equal(found, exact)


def test_weights_of_another_net_are_refused(recipe: Recipe, trained: Trained, originals: Originals) -> None:
    with pytest.raises(TrainingError, match="do not fit the net"):
        Trained(recipe.replace({"model.width": 0.5}), encode_weights(trained.net), originals, CPU)


def test_a_device_that_is_not_there_is_refused(recipe: Recipe) -> None:
    assert device_called("cpu", recipe) == CPU
    for name in ("tpu", "cuda:99", "meta"):
        with pytest.raises(TrainingError, match=name):
            device_called(name, recipe)
    device_called("cpu", recipe.replace({"resources.cpus": 2.0}))
    assert torch.get_num_threads() == 2, "as many as the trial had"
