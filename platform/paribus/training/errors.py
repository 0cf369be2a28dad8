"""What training raises; divergence and death are outcomes, not errors."""


class TrainingError(RuntimeError):
    """A trial that cannot be trained as its recipe says: no such device, or a feed that breaks its promise."""


class TooFewSamplesError(TrainingError):
    """The training split has fewer samples than one batch: a fault of the data, for those who class failures."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, read, or that belongs to another trial."""


class RankLostError(TrainingError):
    """A process of a trial on several ranks died or does not answer; the same call goes on from its checkpoint.

    `signal` is the name of the one that killed it, where it is known.
    """

    signal = ""
