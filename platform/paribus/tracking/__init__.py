"""The ledger: what trials record into MLflow, and what everybody reads out of it. MLflow itself is never imported."""

from paribus.tracking.errors import LeaseHeld, LedgerBarred, LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.outbox.delivery import ReplaySummary, Waiting, replay, waiting
from paribus.tracking.outbox.recorder import Recorder, TrialLog
from paribus.tracking.studies.runs import StudyHeader, StudyRun, open_study
from paribus.tracking.trials.record import TrialRecord

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
    "TrialLog",
    "TrialRecord",
    "Waiting",
    "open_study",
    "replay",
    "waiting",
]
