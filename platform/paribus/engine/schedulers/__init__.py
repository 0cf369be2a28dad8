"""Which trials of a search go on: pure decisions over what is known of all of them. Needs no torch; Ray is loaded where
one of Tune's schedulers is named."""

from paribus.engine.schedulers.asha import Asha
from paribus.engine.schedulers.full_budget import FullBudget
from paribus.engine.schedulers.hyperband import HyperBand
from paribus.engine.schedulers.known import SCHEDULERS, scheduler_of
from paribus.engine.schedulers.median import MedianStopping
from paribus.engine.schedulers.pbt import Pbt
from paribus.engine.schedulers.rungs import Rungs, rungs_by
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError
from paribus.engine.schedulers.standing import Standing
from paribus.engine.schedulers.successive_halving import SuccessiveHalving
from paribus.engine.schedulers.top_k import TopK
from paribus.engine.schedulers.tune.tune_scheduler import TuneScheduler
from paribus.engine.schedulers.tune.tune_standing import TuneStanding

__all__ = [
    "SCHEDULERS",
    "Asha",
    "FullBudget",
    "HyperBand",
    "MedianStopping",
    "Pbt",
    "Rungs",
    "Scheduler",
    "SchedulerError",
    "Standing",
    "SuccessiveHalving",
    "TopK",
    "TuneScheduler",
    "TuneStanding",
    "rungs_by",
    "scheduler_of",
]
