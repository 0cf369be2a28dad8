"""The training loop: batch, loss, step, evaluate, report."""

import math
import resource
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from paribus.metrics.examples import Examples
from paribus.metrics.known import values_of
from paribus.recipe import Recipe, Seeds, trial_id
from paribus.training.checkpoints.checkpoint import Checkpoints
from paribus.training.checkpoints.checkpointer import Checkpointer
from paribus.training.checkpoints.weights import encode_weights
from paribus.training.device import ready_device, same_each_time
from paribus.training.errors import TooFewSamplesError
from paribus.training.evaluation.chance import is_stuck, stuck_reason
from paribus.training.evaluation.evaluate import evaluate, torch_mean
from paribus.training.feed_protocol import Feed
from paribus.training.progress import Progress
from paribus.training.ranks.group import ALONE, Ranks
from paribus.training.ranks.launch import launch
from paribus.training.result import Epoch, Result
from paribus.training.schedules import lr_at
from paribus.training.train_state import TrainState

# Steps between looks at the loss. On a GPU a look waits for the device; the step that is recorded is exact either way.
_CHECK_STEPS = {"cpu": 1, "cuda": 16}


def fit(
    recipe: Recipe,
    seeds: Seeds,
    feed: Feed,
    report: Callable[[Epoch], object] | None = None,
    checkpoint: Checkpoints | None = None,
) -> Result:
    """Train one trial from start, or from its checkpoint, to its end; `report` is called after every epoch.

    Raises:
        TrainingError: no such device, fewer samples than a batch, or a feed that breaks its promise.
        RankLostError: a process of a trial on several ranks died or does not answer.
        CheckpointError: the checkpoint belongs to another trial. One that cannot be written is a warning in the result.
    """
    running = epochs(recipe, seeds, feed, checkpoint)
    while True:
        try:
            epoch = next(running)
        except StopIteration as end:
            result: Result = end.value
            return result
        if report is not None:
            report(epoch)


def epochs(
    recipe: Recipe, seeds: Seeds, feed: Feed, checkpoint: Checkpoints | None = None
) -> Generator[Epoch, None, Result]:
    """`fit` one epoch at a time; its return value is the result. Raises what `fit` raises."""
    start = time.perf_counter()
    if recipe.resources.num_ranks == 1:
        return (yield from train(recipe, seeds, feed, checkpoint, ALONE, start))
    with launch(recipe, seeds, feed, checkpoint) as (ranks, share):
        return (yield from train(recipe, seeds, share, checkpoint, ranks, start))


def train(
    recipe: Recipe, seeds: Seeds, feed: Feed, checkpoint: Checkpoints | None, ranks: Ranks, start: float
) -> Generator[Epoch, None, Result]:
    """What `epochs` does since `start` (of time.perf_counter), on one of `ranks` with its share of the data."""
    plan = StepCounts.of(recipe, feed)
    train_state = TrainState(recipe, seeds, feed, ready_device(recipe, ranks), ranks)
    progress = Progress(recipe.training.divergence_loss)
    checkpointer = Checkpointer(checkpoint, trial_id(recipe, seeds, feed.digest), train_state, progress, ranks)
    checkpointer.resume(plan.span, plan.num_epochs)
    progress.durations["setup_s"] += time.perf_counter() - start
    examples: Examples | None = None

    while progress.epochs_done < plan.num_epochs:
        ranks.ready()
        first, last = plan.span(progress.epochs_done)
        begun = progress.snapshot()
        stream = feed.batches(seeds.order, seeds.augment, progress.epochs_done, progress.step - first)
        steps = ranks.joined(feed, islice(stream, last - progress.step))
        ready = ((batch, train_state.ready(batch.own)) for batch in steps)
        for batch, images in progress.waiting(ready):
            with progress.timing("train_s"), same_each_time():
                lr = lr_at(progress.step, recipe, plan.num_steps, plan.steps_per_epoch)
                measured = train_state.step(images, batch.own.labels, progress.step, lr, batch.rows)
                progress.advance(batch.keys, lr, measured)
                progress.settle(every=_CHECK_STEPS[train_state.device.type])
            if progress.ended:
                break
            checkpointer.save_when_due()
        progress.close_epoch(expected_step=last, is_last=last == plan.num_steps)
        if progress.ended:
            break
        metrics = progress.training_metrics(first, begun)
        if plan.evaluates_after(progress.epochs_done):
            with progress.timing("eval_s"), same_each_time(), train_state.evaluated_weights():
                evaluated, examples = evaluate(lambda batch: train_state.predict(train_state.ready(batch)), feed, ranks)
            if not math.isfinite(evaluated["eval_loss"]):
                progress.end("diverged", progress.step)
                break
            metrics |= evaluated
        progress.metrics |= metrics
        yield Epoch(
            epoch=progress.epochs_done,
            step=progress.step,
            num_steps=plan.num_steps,
            metrics=metrics,
            stream_hash=progress.stream_hash,
            curve=progress.curves_since(first),
            warnings=_waits(progress, feed),
        )
    weights = _weights(train_state) if recipe.evaluation.keep_weights and not progress.ended else None
    return _result(progress, examples, train_state.device, (*checkpointer.warnings, *_waits(progress, feed)), weights)


@dataclass(frozen=True)
class StepCounts:
    """The lengths of a trial."""

    num_steps: int
    steps_per_epoch: int
    evaluate_every: int

    @classmethod
    def of(cls, recipe: Recipe, feed: Feed) -> "StepCounts":
        """The budget of `recipe` on `feed`; raises TooFewSamplesError where the split has less than a batch."""
        if feed.steps_per_epoch < 1:
            raise TooFewSamplesError(
                f"the training split has {feed.num_train} samples, fewer than one batch of {recipe.data.batch_size}: "
                "lower data.batch_size or data.holdout, or raise data.train_fraction"
            )
        num_steps = recipe.budget.num_steps(feed.num_train, recipe.data.batch_size)
        return cls(num_steps, feed.steps_per_epoch, recipe.evaluation.every_epochs)

    @property
    def num_epochs(self) -> int:
        """Epochs begun; the last may be cut short by the budget."""
        return math.ceil(self.num_steps / self.steps_per_epoch)

    def span(self, epoch: int) -> tuple[int, int]:
        """Steps done before and after 0-based `epoch`."""
        first = epoch * self.steps_per_epoch
        return first, min(first + self.steps_per_epoch, self.num_steps)

    def evaluates_after(self, epochs_done: int) -> bool:
        """Whether the evaluation split is read after that many epochs; after the last one always."""
        return epochs_done % self.evaluate_every == 0 or epochs_done == self.num_epochs


def _waits(progress: Progress, feed: Feed) -> tuple[str, ...]:
    share = progress.waits_for_data()
    return () if share is None else (feed.bottleneck(share),)


def _weights(train_state: TrainState) -> bytes:
    with train_state.evaluated_weights():
        return encode_weights(train_state.net)


def _stuck(progress: Progress, examples: Examples | None) -> str:
    """Why a trial that came to its end is stuck; "" for one that is not, or that ended before."""
    if progress.ended or examples is None:
        return ""
    seen = (progress.metrics["top1"], examples.n, examples.most_frequent)
    return stuck_reason(*seen) if is_stuck(*seen) else ""


def _result(
    progress: Progress,
    examples: Examples | None,
    device: torch.device,
    warnings: Sequence[str],
    weights: bytes | None,
) -> Result:
    durations = {**progress.durations, "total_s": sum(progress.durations.values())}
    stuck = _stuck(progress, examples)
    ended = examples if progress.outcome == "finished" else None
    return Result(
        outcome="stuck" if stuck else progress.outcome,
        outcome_step=progress.outcome_step,
        num_steps=progress.step,
        metrics={**(values_of(ended, torch_mean) if ended else {}), **progress.metrics},
        examples=ended,
        curves=progress.curves_since(0),
        stream_hashes=tuple(progress.stream_hashes),
        durations=durations,
        peak_memory_mib=_peak_memory_mib(device),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        warnings=tuple(warnings),
        weights=weights,
        reason=stuck,
    )


def _peak_memory_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
