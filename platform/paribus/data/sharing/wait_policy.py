"""How long trials wait for each other."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WaitPolicy:
    """A trial may spend `base_s` seconds and the share `share` of its time waiting for slower ones, not more.

    A new ring keeps its first batches for `gather_s` seconds, for trials that start a moment later.
    """

    base_s: float = 2.0
    share: float = 0.05
    gather_s: float = 2.0

    def left_s(self, waited_s: float, elapsed_s: float) -> float:
        """Seconds that a trial which waited `waited_s` of its `elapsed_s` may still wait."""
        return self.base_s + self.share * elapsed_s - waited_s
