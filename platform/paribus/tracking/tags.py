"""The tags by which Paribus finds its way in MLflow (README.md holds the table)."""

KIND = "paribus.kind"
SCHEMA = "paribus.schema"
STUDY_KIND = "study"
TRIAL_KIND = "trial"

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
SOURCE = "mlflow.source.name"
COMMIT = "mlflow.source.git.commit"

STUDY = "paribus.study"
QUESTION = "paribus.question"
CLAIM = "paribus.claim"
CAVEATS = "paribus.caveats"
DESIGN = "paribus.design"
SETTINGS = "paribus.settings"
SETTINGS_NAME = "paribus.settings_name"
PLANNED = "paribus.planned"
COUNTS = "paribus.counts"
REPLICATION = "paribus.replication"
DRIVER = "paribus.driver"
CLAIM_OF_DRIVER = "paribus.claim_of_driver"
UPDATED = "paribus.updated"
CODE = "paribus.code"

TRIAL_ID = "paribus.trial_id"
ARM = "paribus.arm"
ARM_NAME = "paribus.arm_name"
REPLICATE = "paribus.replicate"
ATTEMPT = "paribus.attempt"
OUTCOME = "paribus.outcome"
OUTCOME_STEP = "paribus.outcome_step"
NUM_STEPS = "paribus.num_steps"
TOTAL_STEPS = "paribus.total_steps"
REASON = "paribus.reason"
FINAL = "paribus.final"
INTERRUPTED = "paribus.interrupted"
DATA = "paribus.data"
CPU = "paribus.cpu"
DEVICE = "paribus.device"
VERSIONS = "paribus.versions"
WEIGHTS = "paribus.weights"
EVALUATION = "paribus.evaluation"
LOST_ARTIFACT = "paribus.lost_artifact"
RESTORED = "paribus.restored"
CONFLICT = "paribus.conflict"
DUPLICATE_OF = "paribus.duplicate_of"
UNDECIDED = "paribus.undecided"

FINAL_PREFIX = "final/"
EPOCH_METRIC = "epoch"
ATTEMPT_METRIC = "attempt"

STATUS = {
    "finished": "FINISHED",
    "diverged": "FINISHED",
    "dead": "FINISHED",
    "stuck": "FINISHED",
    "stopped": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}


def attempt_tag(attempt: int) -> str:
    """The tag that describes one attempt."""
    return f"{ATTEMPT}.{attempt}"


def evaluation_tag(name: str) -> str:
    """The tag that describes a later evaluation, such as `crops_144`."""
    return f"{EVALUATION}.{name}"
