"""Starts the MLflow server of a stack and ends: `python -m paribus.local.mlflow_server FOLDER PORT LOG`.

`start_server` waits until MLflow answers. In a process of its own that wait does not hold up the other parts, and an
interrupted `up` leaves nothing that is not on record.
"""

import sys
from pathlib import Path

from paribus.host.say import warn
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.server import start_server


def main(folder: str, port: str, log: str) -> int:
    try:
        start_server(Path(folder), int(port), log=Path(log))
    except LedgerError as error:
        warn(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
