"""What a server that we start finds in its environment: what we mean it to have, whatever the user's shell exports.

`mlflow server`, `streamlit run` and `ray start` read every option that is not on their command line from a variable
(click's `envvar` and `auto_envvar_prefix`; Streamlit's config; ray_constants), and uvicorn, gunicorn and Flask below
them do so too. A shell that is set up for another server of theirs would move ours: another port, another database,
another root of artifacts, another cluster. So these families are left out, but for what a person must be able to say:
credentials, and Ray's own tuning (`RAY_memory_usage_threshold`: its internal settings are in lower case).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_FAMILIES = ("MLFLOW_", "_MLFLOW_", "STREAMLIT_", "UVICORN_", "GUNICORN_", "FLASK_", "RAY_", "__RAY_")
# Single variables that change what a Python or a web server does: workers, whom to believe, what to do at the end. An
# environment without bytecode in which none may be written has each of Ray's many processes compile all that it
# imports: four times the work, and on a busy machine more than the 30 s after which Ray gives up.
_SINGLE = frozenset(
    (
        *("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONSTARTUP"),
        *("PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE"),
    )
)
# Clients in our servers' workers log in with these; stores of artifacts are reached with the last two.
_MLFLOW = (
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH"),
    *("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"),
    *("MLFLOW_S3_", "MLFLOW_GCS_"),
)
# How a Ray is guarded and where it listens, where it writes, which GPUs it may show, where its metrics are drawn.
_RAY = (
    *("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USE_TLS", "RAY_TLS_", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"),
    *("RAY_TMPDIR", "RAY_JOB_STOP_WAIT_TIME_S"),
    *("RAY_EXPERIMENTAL_NOSET_", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "RAY_OBJECT_STORE_ALLOW_SLOW_STORAGE"),
    *("RAY_USAGE_STATS_ENABLED", "RAY_GRAFANA_", "RAY_PROMETHEUS_"),
)
_LOOPBACK = "127.0.0.1,localhost"


def child_environment(
    ours: Mapping[str, str] | None = None, *, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a server that we start: `base` (this process's) without what would move it, and
    `ours`.

    No proxy is asked for the loopback address: our parts find each other there.
    """
    base = os.environ if base is None else base
    env = {name: value for name, value in base.items() if not is_dropped(name)}
    spared = ",".join(filter(None, [base.get("NO_PROXY") or base.get("no_proxy"), _LOOPBACK]))
    return {**env, "NO_PROXY": spared, "no_proxy": spared, **(ours or {})}


def is_dropped(name: str) -> bool:
    """Whether a server that we start must not see the variable."""
    if name in _SINGLE:
        return True
    if not name.startswith(_FAMILIES) or name.startswith((*_MLFLOW, *_RAY)):
        return False
    return not (name.startswith("RAY_") and name[4:5].islower())
