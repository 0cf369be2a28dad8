"""Who may speak to a Ray of ours: this machine alone, and on it who has our token.

Ray's library reads both from the environment, once, when it is loaded, and its servers when they start. So what stands
here comes before that, in the process that starts a Ray and in each that joins one.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

MODE, TOKEN, TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
# Ray's switch for a cluster of one machine, on by itself on a Mac: the node is 127.0.0.1, and all that belongs to it
# listens there alone. Without it Ray puts the network's address in place of 127.0.0.1, in whatever it is told.
ONE_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
LOOPBACK = "127.0.0.1"
_LOOPBACK = (LOOPBACK, "localhost", "::1", "[::1]")
_LISTENS = "0A"
# As /proc/net/tcp and tcp6 write 127.0.0.1, the same for a socket of both kinds, and ::1.
_ALONE = (
    "0100007F",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
)


class AccessError(RuntimeError):
    """The token cannot be made or read; the text says which file, and what to do."""


def token_file(env: Mapping[str, str] | None = None) -> Path:
    """Where Ray looks for the token: what RAY_AUTH_TOKEN_PATH names, else `~/.ray/auth_token`."""
    named = (os.environ if env is None else env).get(TOKEN_FILE, "")
    return Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"


def read_token(file: Path) -> str:
    """The token in `file`. Raises AccessError where there is none to be read."""
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise AccessError(f"the token of Ray in {file} cannot be read ({reason})") from None
    if not text:
        raise AccessError(f"the token of Ray in {file} is empty: remove the file, and `paribus up` makes a new one")
    return text


def keep_token(file: Path) -> str:
    """Make a token where there is none, and keep it from others; what was done, in words ("": nothing).

    One that is there is never overwritten: the clusters that were started with it know no other.

    Raises:
        AccessError: the file cannot be made, or is another user's, empty, or no file.
    """
    try:
        made = _made(file)
        state = file.lstat()
    except OSError as error:
        raise AccessError(
            f"the token of Ray cannot be kept in {file} ({error.strerror}): set RAY_AUTH_TOKEN_PATH to a file of "
            "yours, or say `paribus up --no-token`"
        ) from None
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.getuid():
        raise AccessError(f"{file} is no file of this user, and holds no token of ours: set RAY_AUTH_TOKEN_PATH")
    read_token(file)
    if made:
        return "made"
    if state.st_mode & 0o077:
        file.chmod(0o600)
        return "closed to others"
    return ""


def _made(file: Path) -> bool:
    """Whether a new token was written. It appears whole, and never in place of another."""
    if os.path.lexists(file):
        return False
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as text:
            text.write(secrets.token_hex(32))
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def is_here(host: str) -> bool:
    """Whether `host` is an address of this machine."""
    if host in _LOOPBACK:
        return True
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return host not in ("", "0.0.0.0", "::")


def listener(port: int) -> tuple[bool, int] | None:
    """Whether what listens on `port` of this machine does so on loopback alone, and whose it is (its user's id).

    None where nothing does, or the system does not tell (it has no /proc). Of several, the widest.
    """
    found = []
    for name in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            address, _, hexed = words[1].rpartition(":")
            if words[3] == _LISTENS and int(hexed, 16) == port:
                found.append((address in _ALONE, int(words[7])))
    return min(found) if found else None


def token_advice(env: Mapping[str, str] | None = None) -> str:
    """What to do about a Ray that listens and does not let this process in, in words."""
    env = os.environ if env is None else env
    if env.get(MODE, "").lower() != "token":
        return (
            f"if it asks for a token, export {MODE}=token, with its token in the file that {TOKEN_FILE} names, "
            "else in ~/.ray/auth_token"
        )
    where = TOKEN if env.get(TOKEN) else str(token_file(env))
    return f"it does not know the token in {where}, or asks for none and speaks another version: show it its own"


def joining(address: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What whoever speaks to the Ray at `address` (host:port) lacks in `env`, this process's environment.

    Nothing but where it is a server of this user on this machine: then that it listens on loopback, if it does so
    alone, and the token, if there is one.
    """
    env = os.environ if env is None else env
    host, _, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    there = listener(int(port)) if port.isdecimal() and is_here(host) else None
    if there is None or there[1] != os.getuid():
        return {}
    found = dict(ONE_MACHINE) if there[0] and host in _LOOPBACK else {}
    if MODE not in env and (env.get(TOKEN) or token_file(env).is_file()):
        found[MODE] = "token"
    return found
