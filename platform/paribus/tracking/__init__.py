"""The ledger: what trials record into MLflow, and what everybody reads out of it. MLflow itself is never imported."""

from .delivery import ReplaySummary, Waiting, replay, waiting
from .errors import LeaseHeld, LedgerBarred, LedgerError, LedgerUnreachable
from .recorder import Recorder, TrialLog
from .rest import MlflowRest
from .spool import TrialHeader
from .study_runs import StudyHeader, StudyRun, open_study

__all__ = [
    "LeaseHeld",
    "LedgerBarred",
    "LedgerError",
    "LedgerUnreachable",
    "MlflowRest",
    "Recorder",
    "ReplaySummary",
    "StudyHeader",
    "StudyRun",
    "TrialHeader",
    "TrialLog",
    "Waiting",
    "open_study",
    "replay",
    "waiting",
]
