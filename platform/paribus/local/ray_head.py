"""The Ray head of the stack: its command line, its environment, and how `ray job submit` finds it.

It listens on loopback alone, unless a host is named, and asks for a token (`host/ray_access.py`). Its folder is this
user's.
"""

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from paribus.host.ray_access import (
    LOOPBACK,
    MODE,
    ONE_MACHINE,
    TOKEN,
    TOKEN_FILE,
    AccessError,
    is_here,
    keep_token,
    read_token,
)
from paribus.host.ray_command import HOOK, pointer
from paribus.local.errors import StackError
from paribus.local.settings import Settings

BIN = Path(sys.executable).parent
_MIB = 1024 * 1024
_NOTE = "ray_current_cluster"
# Ray opens its own folder to everybody (0777) whenever it starts: so it lies in one that is ours alone.
_INNER = "r"
# Prometheus' figures need no token. Ray has a switch for those of the nodes alone; no server comes up on port -1.
_WITHOUT_METRICS = {
    "RAY_enable_metrics_collection": "0",
    "DASHBOARD_METRIC_PORT": "-1",
    "AUTOSCALER_METRIC_PORT": "-1",
}


def command(settings: Settings, ports: Mapping[str, int]) -> list[str]:
    """Blocking, so that one process owns the cluster: `ray stop` would end every Ray of this user."""
    words = [
        *(str(BIN / "ray"), "start", "--head", "--block", "--disable-usage-stats", "--log-color=false"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['ray']}"),
        *(f"--port={ports['gcs']}", "--dashboard-agent-listen-port=0", f"--ray-client-server-port={ports['client']}"),
        f"--temp-dir={settings.ray_folder / _INNER}",
    ]
    if settings.host != LOOPBACK:
        words.append(f"--node-ip-address={settings.host}")
    if settings.num_cpus is not None:
        words.append(f"--num-cpus={settings.num_cpus}")
    if settings.object_store_mib is not None:
        words.append(f"--object-store-memory={settings.object_store_mib * _MIB}")
    return words


def environment(base: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What the head, and so every job and worker, runs under, on top of `base`."""
    return {
        **{name: value for name, value in base.items() if name != TOKEN and name not in ONE_MACHINE},
        **(ONE_MACHINE if settings.host == LOOPBACK else {}),
        **access(settings.token_file),
        **({} if settings.metrics else _WITHOUT_METRICS),
        "RAY_USAGE_STATS_ENABLED": "0",
        # A stopped job has time to write its ledger (Ray's own default is 3 s) ...
        "RAY_JOB_STOP_WAIT_TIME_S": base.get("RAY_JOB_STOP_WAIT_TIME_S", "30"),
        # ... and `down` asks the jobs first, so that the head has nothing left to wait for.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }


def keep_access(settings: Settings, say: Callable[[str], None], env: Mapping[str, str] = os.environ) -> None:
    """Make the token, if there is none, and say what that means and what `ray job submit` lacks in this shell.

    Raises:
        StackError: the token cannot be made, or what is there is no token of this user; or other machines are to come
            in, and none is asked for, or not at an address of this machine.
    """
    token_file = settings.token_file
    if settings.host != LOOPBACK:
        _check_open(settings)
    if token_file is None:
        say("Ray asks for no token: whoever has an account on this machine can run commands as you through it")
        return
    try:
        done = keep_token(token_file)
        is_other = env.get(TOKEN, "") not in ("", read_token(token_file))
    except AccessError as error:
        raise StackError(str(error)) from None
    if done == "made":
        say(
            f"Ray asks for a token from now on, made in {token_file} (0600), where `ray job submit` finds it. A later "
            "`ray start` of yours finds it too, and asks for it (RAY_AUTH_MODE=disabled: not). `down` leaves it there"
        )
    elif done:
        say(f"{token_file}, the token that Ray asks for, could be read by others: now by you alone (0600)")
    if is_other:
        say(f"RAY_AUTH_TOKEN of this shell is not the token in {token_file}: unset it, or `ray job submit` is refused")
    if not HOOK.is_file():
        names = " ".join(f"{name}={value}" for name, value in {MODE: "token", **ONE_MACHINE}.items())
        say(f"This environment has no {HOOK.name}: before `ray job submit`, type\n  export {names}")


def _check_open(settings: Settings) -> None:
    if settings.token_file is None:
        raise StackError(
            f"at {settings.host} whoever reaches this machine could run commands as you: drop --no-token (and "
            f"{MODE}=disabled), or --host"
        )
    if not is_here(settings.host):
        raise StackError(f"{settings.host} is no address of this machine: `hostname -I` lists them")


def invitation(settings: Settings, gcs_port: int) -> str:
    """What another machine types to join."""
    return (
        f"Ray listens on this machine's network, for who shows the token. On another one, with the same Paribus, data "
        f"and a copy of {settings.token_file} (chmod 600):\n"
        f"  RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=THE_COPY ray start --address={settings.host}:{gcs_port}\n"
        "The token and all data travel in the clear: SECURITY.md says when that is not enough. MLflow and the "
        "dashboard stay on loopback here."
    )


def access(token_file: Path | None) -> dict[str, str]:
    """How the head, and whoever speaks to it, knows of the token in `token_file`; None: there is none.

    The mode is always said: a head without would ask for one by itself wherever `~/.ray/auth_token` exists.
    """
    return {MODE: "token", TOKEN_FILE: str(token_file)} if token_file else {MODE: "disabled"}


def prepare_folder(folder: Path) -> None:
    """Make Ray's folder, ours alone, and clear the sessions of earlier heads but the last (its logs may be wanted)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise StackError(f"{folder} is not a folder of this user: remove it, or set RAY_TMPDIR to another place")
    folder.chmod(0o700)  # an earlier release left it to Ray
    inner = folder / _INNER
    sessions = sorted(path for path in inner.glob("session_*") if path.is_dir() and not path.is_symlink())
    for session in sessions[:-1]:
        shutil.rmtree(session, ignore_errors=True)


def is_settled(folder: Path, gcs_port: int) -> bool:
    """True once the head has noted its own address: its last act, some time after the Jobs API answers."""
    try:
        return _note(folder).read_text().strip().endswith(f":{gcs_port}")
    except OSError:
        return False


def claim_default(folder: Path) -> bool:
    """Let a plain `ray job submit` or `ray.init(address="auto")` find this cluster, unless another one lives.

    Ray looks up the last started cluster in one file, and fails if that names a dead one. True if it names ours now.
    """
    ours = _note(folder).read_text().strip()
    noted = pointer()
    try:
        named = noted.read_text().strip()
    except OSError:
        named = ""
    if named not in ("", ours) and _answers(named):
        return False
    draft = noted.with_name(f"{noted.name}.{os.getpid()}")
    try:
        noted.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(ours)
        draft.replace(noted)
    except OSError:  # another user's folder
        return False
    return True


def release_default(folder: Path) -> None:
    """Take back what `claim_default` wrote."""
    try:
        ours = _note(folder).read_text().strip()
        if pointer().read_text().strip() == ours:
            pointer().unlink(missing_ok=True)
        _note(folder).unlink(missing_ok=True)
    except OSError:
        return


def _note(folder: Path) -> Path:
    return folder / _INNER / _NOTE


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.5):
            return True
    except (OSError, ValueError):
        return False
