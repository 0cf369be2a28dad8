"""The Ray head of the stack: its command line, its environment, and how `ray job submit` finds it."""

import os
import shutil
import socket
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from paribus.local.errors import StackError
from paribus.local.settings import Settings

BIN = Path(sys.executable).parent
_MIB = 1024 * 1024
_NOTE = "ray_current_cluster"


def command(settings: Settings, ports: Mapping[str, int]) -> list[str]:
    """Blocking, so that one process owns the cluster: `ray stop` would end every Ray of this user."""
    words = [
        *(str(BIN / "ray"), "start", "--head", "--block", "--disable-usage-stats", "--log-color=false"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['ray']}"),
        *(f"--port={ports['gcs']}", "--dashboard-agent-listen-port=0", f"--ray-client-server-port={ports['client']}"),
        f"--temp-dir={settings.ray_folder}",
    ]
    if settings.num_cpus is not None:
        words.append(f"--num-cpus={settings.num_cpus}")
    if settings.object_store_mib is not None:
        words.append(f"--object-store-memory={settings.object_store_mib * _MIB}")
    return words


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """What the head, and so every job and worker, runs under, on top of `base`."""
    return {
        **base,
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray turns its token check on by itself as soon as ~/.ray/auth_token exists (any local `ray.init()` makes one),
        # and a plain `ray job submit` then fails with 401. Who wants it exports RAY_AUTH_MODE=token before `up`.
        "RAY_AUTH_MODE": base.get("RAY_AUTH_MODE", "disabled"),
        # A stopped job has time to write its ledger (Ray's own default is 3 s) ...
        "RAY_JOB_STOP_WAIT_TIME_S": base.get("RAY_JOB_STOP_WAIT_TIME_S", "30"),
        # ... and `down` asks the jobs first, so that the head has nothing left to wait for.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }


def prepare_folder(folder: Path) -> None:
    """Make Ray's folder, ours alone, and clear the sessions of earlier heads but the last (its logs may be wanted)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise StackError(f"{folder} is not a folder of this user: remove it, or set RAY_TMPDIR to another place")
    sessions = sorted(path for path in folder.glob("session_*") if path.is_dir() and not path.is_symlink())
    for session in sessions[:-1]:
        shutil.rmtree(session, ignore_errors=True)


def is_settled(folder: Path, gcs_port: int) -> bool:
    """True once the head has noted its own address: its last act, some time after the Jobs API answers."""
    try:
        return (folder / _NOTE).read_text().strip().endswith(f":{gcs_port}")
    except OSError:
        return False


def claim_default(folder: Path) -> bool:
    """Let a plain `ray job submit` or `ray.init(address="auto")` find this cluster, unless another one lives.

    Ray looks up the last started cluster in one file, and fails if that names a dead one. True if it names ours now.
    """
    ours = (folder / _NOTE).read_text().strip()
    pointer = _pointer()
    try:
        named = pointer.read_text().strip()
    except OSError:
        named = ""
    if named not in ("", ours) and _answers(named):
        return False
    pointer.parent.mkdir(parents=True, exist_ok=True)
    draft = pointer.with_name(f"{pointer.name}.{os.getpid()}")
    draft.write_text(ours)
    draft.replace(pointer)
    return True


def release_default(folder: Path) -> None:
    """Take back what `claim_default` wrote."""
    try:
        ours = (folder / _NOTE).read_text().strip()
        if _pointer().read_text().strip() == ours:
            _pointer().unlink(missing_ok=True)
        (folder / _NOTE).unlink(missing_ok=True)
    except OSError:
        return


def _pointer() -> Path:
    temp = os.environ.get("RAY_TMPDIR")
    if temp is None:
        temp = os.environ.get("TMPDIR", "/tmp") if sys.platform == "linux" else "/tmp"
    return Path(temp) / "ray" / _NOTE


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.5):
            return True
    except (OSError, ValueError):
        return False
