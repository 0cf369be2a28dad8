"""Where the trials of one bracket stand, kept sorted, so that a decision among thousands costs microseconds."""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable

# Better ones first, and of equal ones the trial that was proposed first.
Place = tuple[float, int]


class Bracket:
    """The trials that are ranked among each other: at each rung those that `arrived`, best first, and of them those
    that are `paused` there; `heading` counts those that train towards it.

    A trial that ended early arrives, as the worst, at the rung that it was training towards: what diverges has been
    judged. So does one whose value is no number, which never goes on.
    """

    def __init__(self, rungs: tuple[int, ...], planned: int) -> None:
        self.rungs = rungs
        self.unstarted = planned
        self.arrived: list[list[Place]] = [[] for _ in rungs]
        self.paused: list[list[Place]] = [[] for _ in rungs]
        self.heading = [0] * len(rungs)
        self.values: dict[int, list[float]] = {}
        # Of each trial that arrived the mean of its values up to the rung, rising: what median stopping compares with.
        self.means: list[list[float]] = [[] for _ in rungs]

    def start(self, number: int) -> None:
        """Trial `number` trains towards the first rung."""
        self.values[number] = []
        self.unstarted -= 1
        self.heading[0] += 1

    def arrive(self, number: int, value: float) -> None:
        """The trial reached the rung that it trained towards; it pauses there unless it is the last."""
        rung = len(self.values[number])
        self.values[number].append(value if not math.isnan(value) else -math.inf)
        place = self.place(number, rung)
        self._judged(rung, place)
        if rung + 1 < len(self.rungs):
            insort(self.paused[rung], place)

    def end(self, number: int) -> None:
        """The trial ended before the rung that it trained towards."""
        rung = len(self.values[number])
        self.values[number].append(-math.inf)
        self._judged(rung, (math.inf, number))

    def leave(self, number: int, goes_on: bool) -> None:
        """A paused trial goes on to the next rung, or is cut."""
        rung = len(self.values[number]) - 1
        place = self.place(number, rung)
        index = bisect_left(self.paused[rung], place)
        assert self.paused[rung][index : index + 1] == [place], f"trial {number} is not paused"
        del self.paused[rung][index]
        if goes_on:
            self.heading[rung + 1] += 1

    def place(self, number: int, rung: int) -> Place:
        """What the trial is sorted by at a rung that it reached."""
        return -self.values[number][rung], number

    def rank(self, place: Place, rung: int) -> int:
        """How many of those that arrived are better."""
        return bisect_left(self.arrived[rung], place)

    def at_most(self, rung: int, keep: Callable[[int], int]) -> int:
        """How many trials will have arrived at the rung in the end, at most, where `keep(n)` of n go on from each."""
        possible = len(self.arrived[0]) + self.heading[0] + self.unstarted
        for below in range(rung):
            kept = self._finite_among(below, keep(possible))
            yet_to_arrive = possible - len(self.arrived[below])
            possible = len(self.arrived[below + 1]) + self.heading[below + 1] + kept + yet_to_arrive
        return possible

    def _finite_among(self, rung: int, first: int) -> int:
        """How many of the paused are among the `first` that arrived and can go on."""
        if first < 1 or not self.paused[rung]:
            return 0
        last = self.arrived[rung][min(first, len(self.arrived[rung])) - 1]
        return bisect_right(self.paused[rung], min(last, (math.inf, -1)))

    def _judged(self, rung: int, place: Place) -> None:
        self.heading[rung] -= 1
        insort(self.arrived[rung], place)
        values = self.values[place[1]]
        insort(self.means[rung], sum(values) / len(values))
