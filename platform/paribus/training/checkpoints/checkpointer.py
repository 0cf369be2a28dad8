"""Saving a trial when it is time, and taking it up again."""

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.training.checkpoints.checkpoint import Checkpoints
from paribus.training.checkpoints.saved_state import Span, fault_of
from paribus.training.errors import CheckpointError
from paribus.training.progress import Progress
from paribus.training.ranks.group import ALONE, Ranks
from paribus.training.train_state import TrainState


class Checkpointer:
    """Ties one trial's train state and progress to its checkpoints; does nothing where there are none.

    All ranks read them, on one of them as on several, and rank 0 writes them.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        trial: str,
        train_state: TrainState,
        progress: Progress,
        ranks: Ranks = ALONE,
    ) -> None:
        self.checkpoints, self.trial, self.ranks = checkpoints, trial, ranks
        self.train_state, self.progress = train_state, progress

    @property
    def warnings(self) -> Sequence[str]:
        """What went wrong with checkpoints without ending the trial."""
        return () if self.checkpoints is None else self.checkpoints.warnings

    def resume(self, span: Span, num_epochs: int) -> None:
        """Go on from the newest whole checkpoint, if there is one; `span` gives the steps before and after an epoch.

        Raises:
            CheckpointError: it is another trial's.
            TrainingError: the ranks do not find the same data and the same checkpoint.
        """
        self._restore(span, num_epochs)
        self.ranks.agree("trial and steps done", (self.trial[:12], self.progress.step, self.progress.stream_hash[:12]))

    def _restore(self, span: Span, num_epochs: int) -> None:
        if self.checkpoints is None:
            return
        folder = self.checkpoints.folder

        def fault(state: Any) -> str | None:
            found = fault_of(state, self.train_state, self.progress, span, num_epochs)
            # Another trial's has another form, perhaps; that it is another's says more, and is nobody's damage.
            other = state.get("trial") if isinstance(state, Mapping) else None
            if isinstance(other, str) and other != self.trial:
                others.append(other)
                return None
            return found

        others: list[str] = []
        state = self.checkpoints.load(fault)
        if others:
            raise CheckpointError(
                f"{folder} has checkpoints of trial {others[0][:12]}, and this is trial {self.trial[:12]}: give every "
                "trial a folder of its own, or remove that one"
            )
        if state is None:
            return
        self.train_state.restore(state["learner"])
        self.progress.restore(state["progress"])

    def save_when_due(self) -> None:
        """Save if it is time. A full disk costs the checkpoint, not the trial: training goes on with a warning."""
        # Clocks differ, and settling may end the trial: all ranks settle when rank 0 says so.
        if self.checkpoints is None or not self.ranks.first(self.checkpoints.due(self.progress.step)):
            return
        self.progress.settle()
        if self.progress.ended or self.ranks.rank > 0:
            return
        with self.progress.timing("checkpoint_s"):
            state = {"trial": self.trial, "learner": self.train_state.state(), "progress": self.progress.state()}
            try:
                self.checkpoints.save(self.progress.step, state)
            except CheckpointError as error:
                self.checkpoints.warn(str(error))
