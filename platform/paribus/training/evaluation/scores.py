"""A trained net asked about the evaluation split, with as many views at an image as a protocol has."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.data import Originals
from paribus.images.decode import Pixels, resize, sides
from paribus.metrics.examples import Examples
from paribus.models.build import build
from paribus.recipe import Recipe
from paribus.training.checkpoints.weights import decode_weights
from paribus.training.device import autocast, compute_as, use_cpus
from paribus.training.errors import TrainingError
from paribus.training.evaluation.marks import Marks
from paribus.training.evaluation.views import View, views

Floats = NDArray[np.float64]
# One look at an image, (H, W, C) uint8, and its share in the image's mean.
Weighed = tuple[Pixels, float]
# Images of a batch where each is looked at often; more would only take memory.
_MOST_VIEWS = {"1": 1, "10": 10, "12": 12, "144": 144, "dense": 36}
# Of probabilities that are marked at once: of 1,000 classes they take 32 MiB.
_ROWS = 4096


def device_called(name: str, recipe: Recipe) -> torch.device:
    """`cpu`, `cuda` or `cuda:1`, where `name` is empty a GPU if there is one; and as many threads as in training.

    Raises:
        TrainingError: torch knows or sees no such device.
    """
    use_cpus(recipe)
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise TrainingError(f"there is no device {name!r}: say cpu, cuda, or cuda:1 for the second GPU")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise TrainingError(f"torch {torch.__version__} sees {torch.cuda.device_count()} GPUs, and {name!r} is none")
    return device


class Trained:
    """The net of a finished trial in evaluation mode, computing as its recipe says (without compiling)."""

    def __init__(self, recipe: Recipe, weights: bytes, originals: Originals, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.memory_format = torch.channels_last if recipe.numerics.channels_last else torch.contiguous_format
        net = build(recipe.model, originals.channels, originals.num_classes)
        try:
            net.load_state_dict(decode_weights(weights))
        except RuntimeError as error:
            raise TrainingError(
                f"the weights do not fit the net that this code builds from the trial's recipe ({error}): evaluate "
                "with the code that trained it"
            ) from error
        net.eval().to(device)
        self.net = net.to(memory_format=self.memory_format)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, K) float64 on the device, of (N, C, H, W) float32."""
        images = images.to(self.device, memory_format=self.memory_format, non_blocking=True)
        compute_as(self.recipe.numerics, self.device)  # the net before may have asked for other precision
        with autocast(self.device, self.recipe.numerics):
            logits = self.net.head(self.net.pooled(images)).float()
        found: Tensor = logits.double().softmax(1)
        return found


def examples_of(probabilities: Floats, labels: NDArray[np.int64], keys: Sequence[str] = ()) -> Examples:
    """What probabilities (n, K) come to, per example; nats are -inf of a class that was held impossible."""
    own = probabilities[np.arange(len(labels)), labels]
    with np.errstate(divide="ignore"):
        log_likelihood = torch.from_numpy(np.log(own))
    found, truth = torch.from_numpy(probabilities), torch.from_numpy(labels)
    parts = zip(*(torch.split(tensor, _ROWS) for tensor in (found, log_likelihood, truth)), strict=True)
    return Marks.joined([Marks.of(rows, rows, nats, label) for rows, nats, label in parts]).examples(keys)


def scores(
    trained: Trained,
    originals: Originals,
    rows: NDArray[np.int64],
    crops: str = "1",
    advance: Callable[[int], object] = lambda num_images: None,
) -> Floats:
    """(len(rows), K) class probabilities, each image's the mean of the softmax over its views (as all papers have it).

    `crops` is one of PROTOCOLS, `rows` (rising) are places in `originals.keys`; `advance` hears of every batch done.

    Raises:
        DataError: a damaged shard, or an image that does not decode.
        TrainingError: the net cannot look at images of the sizes that `dense` takes.
    """

    def prepare(pixels: Pixels) -> list[Weighed]:
        if crops == "1":
            return [(originals.seen(pixels), 1.0)]
        height, width = pixels.shape[:2]
        return list(weighed(pixels, views(crops, height, width, originals.size), originals.size))

    most = trained.recipe.data.eval_batch_size
    found = []
    for batch in originals.prepared(rows, max(1, most // _MOST_VIEWS[crops]), prepare):
        found.append(_means(trained, originals, batch.images, most).cpu().numpy())
        advance(len(batch.rows))
    return np.concatenate(found) if found else np.empty((0, originals.num_classes))


def weighed(pixels: Pixels, at: Iterable[View], size: int) -> Iterator[Weighed]:
    """The views at an image (H, W, C) uint8, those that coincide once, with their shares; shares sum to 1."""
    counts = Counter(at)
    height, width = pixels.shape[:2]
    resized = {short: resize(pixels, *sides(height, width, short)) for short in {look.short for look in counts}}
    for look, count in counts.items():
        yield taken(resized[look.short], look, size), count / counts.total()


def taken(resized: Pixels, look: View, size: int) -> Pixels:
    """What `look` sees of the image already `resized` to its shorter side."""
    top, left, height, width = look.box
    cut = resized[top : top + height, left : left + width]
    if look.shrunk:
        cut = resize(cut, size, size)
    return cut[:, ::-1] if look.mirrored else cut


def _means(trained: Trained, originals: Originals, images: list[list[Weighed]], most: int) -> Tensor:
    """(N, K) weighted means of the probabilities; views of one shape go through the net together."""
    by_shape: dict[tuple[int, ...], list[tuple[int, Weighed]]] = defaultdict(list)
    for row, given in enumerate(images):
        for each in given:
            by_shape[each[0].shape].append((row, each))
    total = torch.zeros(len(images), originals.num_classes, dtype=torch.float64, device=trained.device)
    for (height, width, _), all_looks in by_shape.items():
        together = max(1, most * originals.size**2 // (height * width))
        for start in range(0, len(all_looks), together):
            some = all_looks[start : start + together]
            found = trained.probabilities(originals.scaled([pixels for _, (pixels, _) in some]))
            shares = torch.tensor([share for _, (_, share) in some], dtype=torch.float64, device=trained.device)
            places = torch.tensor([row for row, _ in some], device=trained.device)
            total.index_add_(0, places, found * shares[:, None])
    return total
