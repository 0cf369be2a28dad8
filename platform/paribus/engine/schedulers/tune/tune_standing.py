"""What a scheduler of Ray Tune's is told of a search's trials, as Tune would tell it, and what it decides of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.engine.schedulers.scheduler import SchedulerError
from paribus.engine.schedulers.tune.tune_controller import Controller, drawing
from paribus.engine.schedulers.tune.tune_news import BEGUN, ENDED, GONE, Known, is_heard, news
from paribus.engine.schedulers.tune.tune_scheduler import EPOCH, TuneScheduler
from paribus.recipe.components.own import load
from paribus.recipe.seeds import key
from paribus.study.searches.search import Search

_STUCK = "nothing runs, no setting is to come, and {name} lets nobody who waits go on"


class TuneStanding:
    """All trials of a search under one scheduler of Ray Tune's: `Standing` for one whose decisions depend on the order.

    The scheduler is told through the public methods of `TrialScheduler`, of each trial as a
    `ray.tune.experiment.Trial` that trains nothing: it is added as pending when it is the next to begin, its epochs are
    told as results, and its end as completed, failed or stopped. What is drawn meanwhile depends on the search's seed
    and on what is asked. A baseline that is trained to its end whatever a scheduler says is not told of.

    `order` is what it was told and whom it let go, as it happened: (number, place), for the ledger. Of what a driver
    before this one wrote down there, nothing is decided again: who went on then goes on, and who was let go is.

    Args:
        tried: the walk's trials by number, which are looked at and not changed.

    Raises:
        SchedulerError: no such scheduler, or it has a metric of its own; of all methods: it raised.
    """

    def __init__(
        self, scheduler: TuneScheduler, search: Search, tried: Mapping[int, Known], *, epochs: int, planned: int
    ) -> None:
        self.name, self.epochs, self.planned = scheduler.reference.rpartition(":")[2], epochs, planned
        self._search, self._tried, self._sign = search, tried, search.primary.sign
        self._skips_first = bool(search.confirm) and search.baseline_setting is not None
        self._rule = scheduler.made(epochs)
        if not self._rule.set_search_properties(search.metric, "max" if self._sign > 0 else "min"):
            raise SchedulerError(f"scheduler {scheduler.text!r} has a metric or mode of its own: the search says which")
        self._kind = load("ray.tune.experiment:Trial")
        self._trials: dict[int, Any] = {}
        self._controller = Controller(self._trials, self._let_go)
        self.order: list[tuple[int, int]] = []
        # Whether what is told now was decided by a driver before this one.
        self._is_decided = False
        self._started: set[int] = set()
        self._running: set[int] = set()
        # Whoever waits for the walk after an epoch; `_goes`: of them those that were told to continue.
        self._waiting: set[int] = set()
        self._goes: set[int] = set()
        # The last epoch that it was told of each, and whom it let go, with the reason: of them no more is told.
        self._told: dict[int, int] = {}
        self._gone: dict[int, str] = {}
        self._next = 0
        self._add_next()

    def start(self, number: int) -> None:
        """A new trial starts."""
        self._started.add(number)
        self._told[number] = 0
        self.order.append((number, BEGUN))
        if not self._skips(number):
            self._add(number)
            self._trials[number].set_config(dict(self._tried[number].levels))
            self._run(number)
        self._add_next()

    def pause(self, number: int, epoch: int, value: float) -> None:
        """The trial came to the end of an epoch, or to its end; `value` is larger for better ones."""
        self._running.discard(number)
        if number not in self._gone:
            self.order.append((number, ENDED if epoch == self.epochs else epoch))
            self._tell(number, epoch, self._sign * value)
        if epoch < self.epochs:
            self._waiting.add(number)

    def go_on(self, number: int) -> None:
        """A trial that waits goes on."""
        self._leave(number)
        self._run(number)

    def drop(self, number: int) -> None:
        """A trial that waits was cut."""
        self._leave(number)
        self._part(number)

    def end(self, number: int) -> None:
        """A trial that trained diverged, died or failed."""
        self._leave(number)
        if number in self._trials and number not in self._gone:
            self.order.append((number, ENDED))
            self._ask("on_trial_error", self._trials[number])
            self._gone[number] = "it failed"
            self._trials[number].set_status(self._kind.ERROR)

    def promote(self) -> tuple[int, int] | None:
        """The waiting trial that should go on before a new one starts, and the epoch to train to; None: none does."""
        if self._goes:
            number = min(self._goes)
        elif self._waiting:
            chosen = self._ask("choose_trial_to_run")
            number = -1 if chosen is None else int(chosen.trial_id)
        else:
            return None
        return (number, self._told[number] + 1) if number in self._waiting and number not in self._gone else None

    def cut(self) -> dict[int, str]:
        """Waiting trials that will never go on, with the reason."""
        found = {number: self._gone[number] for number in self._waiting if number in self._gone}
        is_over = not self._running and self._next >= self.planned
        if self._waiting and not found and is_over and self.promote() is None:
            return dict.fromkeys(self._waiting, _STUCK.format(name=self.name))
        return found

    def catch_up(self, planned: int) -> None:
        """Tell what it does not know yet of the walk's trials, in the order in which it came about."""
        self.planned = planned
        for number in [each for each in self._trials if each >= planned and each not in self._started]:
            self._stop(self._trials[number])
        for number, place, value in news(self._search, self._tried, self._told, self.epochs, self._skips_first):
            each = self._tried[number]
            self._is_decided = is_heard(each, ENDED if place == self.epochs else place)
            if place == BEGUN:
                self.start(number)
            elif place == GONE:
                self._part(number)
            elif place == ENDED:
                (self.end if each.state == "failed" else self.drop)(number)
            else:
                self.go_on(number)
                self.pause(number, place, value)
        self._is_decided = False
        for number, each in self._tried.items():
            if each.state in ("running", "interrupted") and not self._skips(number):
                self.go_on(number)

    def _let_go(self, trial: Any) -> None:
        """The scheduler stops a trial, unless a driver before this one wrote down that it went on."""
        number = int(trial.trial_id)
        if not self._is_decided or number not in self._tried or is_heard(self._tried[number], GONE):
            self._part(number)

    def _part(self, number: int) -> None:
        """Stop a trial that has not ended, and note that it was."""
        if number in self._trials and number not in self._gone:
            self.order.append((number, GONE))
            self._stop(self._trials[number])

    def _stop(self, trial: Any) -> None:
        """Tell that a trial is stopped, as Tune's controller does for a scheduler that asks for it."""
        number = int(trial.trial_id)
        if number in self._gone:
            return
        if trial.status == self._kind.RUNNING:
            self._ask("on_trial_complete", trial, dict(trial.last_result))
        else:
            self._ask("on_trial_remove", trial)
        trial.set_status(self._kind.TERMINATED)
        self._gone[number] = f"after epoch {self._told.get(number, 0)}: {self.name} stops it"
        self._goes.discard(number)

    def _tell(self, number: int, epoch: int, value: float) -> None:
        trial = self._trials[number]
        result = {self._search.metric: value, EPOCH: epoch, "trial_id": trial.trial_id, "config": trial.config}
        said = self._ask("on_trial_result", trial, {**result, "done": False})
        trial.update_last_result({**result, "done": epoch == self.epochs or said == self._rule.STOP})
        self._told[number] = epoch
        if epoch == self.epochs:
            self._stop(trial)
        elif said == self._rule.STOP:
            self._let_go(trial)
        if said == self._rule.PAUSE and number not in self._gone:
            trial.set_status(self._kind.PAUSED)
        elif number not in self._gone:
            self._goes.add(number)

    def _skips(self, number: int) -> bool:
        return number == 0 and self._skips_first

    def _run(self, number: int) -> None:
        self._running.add(number)
        if number not in self._gone:
            self._trials[number].set_status(self._kind.RUNNING)

    def _leave(self, number: int) -> None:
        for where in (self._waiting, self._goes, self._running):
            where.discard(number)

    def _add_next(self) -> None:
        """The trial that is to begin next is pending, as the one is that Tune's own searcher has ready."""
        while self._next in self._started or (self._next == 0 and self._skips_first):
            self._next += 1
        if self._next < self.planned:
            self._add(self._next)

    def _add(self, number: int) -> None:
        if number not in self._trials:
            self._trials[number] = self._kind(self._search.name, stub=True, trial_id=str(number))
            self._ask("on_trial_add", self._trials[number])

    def _ask(self, method: str, *of: Any) -> Any:
        told = (of[0].trial_id, self._told.get(int(of[0].trial_id), 0)) if of else ()
        with drawing(key("scheduler", self._search.seed, method, *told)):
            try:
                return getattr(self._rule, method)(self._controller, *of)
            except SchedulerError:
                raise
            except Exception as error:  # it may be anybody's
                said = f"{type(error).__name__}: {error}"
                raise SchedulerError(f"the scheduler {self.name} raised in {method}: {said}") from error
