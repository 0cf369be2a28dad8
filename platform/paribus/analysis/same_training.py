"""Arms that are the same training: a factor without effect is a fault of the study, and no equivalence."""

from paribus.analysis.contrasts import Pairs, Trials
from paribus.metrics.known import METRICS
from paribus.study.words import TrialResult

# What a training leaves behind of its own; seconds and memory differ between two runs of one training.
_OF_TRAINING = (*METRICS, "train_loss")
# Of these, what two different trainings don't share to the last bit; a count of right answers they may.
_CONTINUOUS = (*(name for name, metric in METRICS.items() if not metric.step), "train_loss")
SENTENCE = (
    "these arms are the same training: every pair ended in the same weights or the same numbers to the last digit, so "
    "the factor had no effect at these settings. That is a fault of the study and no equivalence; there is no verdict"
)


def is_same_training(pairs: Pairs, trials: Trials) -> bool:
    """Whether every pair that ended is one training done twice, by weights' digests or by final numbers.

    A pair that failed to train says so by its outcome, step and numbers, if it has any; alone it is no proof.
    """
    both = [(trials[pairs.arm, r], trials[pairs.baseline, r]) for r in pairs.ended]
    return any(_proof(arm, baseline) for arm, baseline in both) and all(
        _proof(arm, baseline) or (not arm.survived and _agree(arm, baseline)) for arm, baseline in both
    )


def _proof(arm: TrialResult, baseline: TrialResult) -> bool:
    if arm.weights and arm.weights == baseline.weights:
        return True
    return _agree(arm, baseline) and any(name in _shared(arm, baseline) for name in _CONTINUOUS)


def _agree(arm: TrialResult, baseline: TrialResult) -> bool:
    """Equal ends and equal numbers, as far as both have them."""
    ends = [(trial.outcome, trial.outcome_step, trial.num_steps) for trial in (arm, baseline)]
    shared = _shared(arm, baseline)
    numbers = [{name: trial.metrics.get(name) for name in (*shared, "train_loss")} for trial in (arm, baseline)]
    if ends[0] != ends[1] or numbers[0] != numbers[1]:
        return False
    if arm.examples is None or baseline.examples is None:
        return True
    one, other = arm.examples.columns, baseline.examples.columns
    return all(one[name].tobytes() == other[name].tobytes() for name in one.keys() & other.keys())


def _shared(arm: TrialResult, baseline: TrialResult) -> list[str]:
    """What training left behind in both: a release may keep numbers that the one before did not."""
    return [name for name in _OF_TRAINING if name in arm.metrics and name in baseline.metrics]
