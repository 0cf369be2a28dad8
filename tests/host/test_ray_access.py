"""The token is made once, for its user alone, never over another, and shown to servers of this user on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paribus.host import ray_access, ray_command
from paribus.host.home import private_folder

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's folder of its own, and a shell that says nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    names = (ray_access.MODE, ray_access.TOKEN, ray_access.TOKEN_FILE, *ray_access.ONE_MACHINE, *ray_command._NAMES)
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def ours() -> Iterator[int]:
    """A port of this user's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def theirs() -> Iterator[int]:
    """A port of another user's."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    code = (
        "import os, socket; os.setuid(65534); s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.communicate(b"\n")


def test_a_new_token_is_this_users_alone_and_is_never_written_over(tmp_path: Path) -> None:
    file = ray_access.token_file()
    assert file == tmp_path / ".ray" / "auth_token"
    assert ray_access.keep_token(file) == "made"
    token = ray_access.read_token(file)
    assert len(token) == 64
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert [path.name for path in file.parent.iterdir()] == ["auth_token"]
    assert ray_access.keep_token(file) == ""
    file.chmod(0o644)
    assert ray_access.keep_token(file) == "closed to others"
    assert (ray_access.read_token(file), mode(file)) == (token, 0o600)


def test_what_is_no_token_of_this_user_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "real").write_text("t")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    for name, words in {"empty": "is empty", "link": "no file of this user", "folder": "no file of this user"}.items():
        with pytest.raises(ray_access.AccessError, match=words):
            ray_access.keep_token(tmp_path / name)
    with pytest.raises(ray_access.AccessError, match=r"cannot be kept in .*real/x \(.+\): set RAY_AUTH_TOKEN_"):
        ray_access.keep_token(tmp_path / "real" / "x")
    if os.getuid() == 0:
        os.chown(tmp_path / "real", NOBODY, NOBODY)
        with pytest.raises(ray_access.AccessError, match="no file of this user"):
            ray_access.keep_token(tmp_path / "real")


def test_a_listener_is_known_by_its_address_and_its_user(ours: int, theirs: int) -> None:
    assert ray_access.listener(ours) == (True, os.getuid())
    assert ray_access.listener(theirs) == (True, NOBODY)
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        assert ray_access.listener(everywhere.getsockname()[1]) == (False, os.getuid())
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sixth:
        assert ray_access.listener(sixth.getsockname()[1]) == (True, os.getuid())


def test_the_token_is_shown_to_a_server_of_this_user_here_and_to_no_other(ours: int, theirs: int) -> None:
    alone = dict(ray_access.ONE_MACHINE)
    assert ray_access.joining(f"127.0.0.1:{ours}") == alone
    ray_access.keep_token(ray_access.token_file())
    for address in (f"127.0.0.1:{ours}", f"localhost:{ours}", f"ray://127.0.0.1:{ours}", f"http://127.0.0.1:{ours}/"):
        assert ray_access.joining(address) == {**alone, "RAY_AUTH_MODE": "token"}
    for address in (f"127.0.0.1:{theirs}", f"198.51.100.1:{ours}", f"head.example:{ours}", "127.0.0.1", "", "auto"):
        assert ray_access.joining(address) == {}
    assert ray_access.joining(f"127.0.0.1:{ours}", {"RAY_AUTH_MODE": "disabled"}) == alone


def test_the_command_of_ray_is_told_what_it_lacks_and_of_no_one_elses_cluster(
    ours: int, theirs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray_access.keep_token(ray_access.token_file())
    pointer = ray_command.pointer()
    pointer.parent.mkdir()

    def told(words: str, noted: int) -> str | None:
        pointer.write_text(f"127.0.0.1:{noted}")
        with monkeypatch.context() as patch:
            patch.delenv(ray_access.MODE, raising=False)
            ray_command.settle(words.split())
            found = os.environ.pop(ray_access.MODE, None)
            os.environ.pop(*ray_access.ONE_MACHINE, None)
        return found

    assert told("job submit studies/width.py", ours) == "token"
    assert told(f"job submit --address http://127.0.0.1:{ours} -- python x.py --address y", theirs) == "token"
    assert told("job submit studies/width.py", theirs) is None
    assert told(f"job submit --address=http://127.0.0.1:{theirs} x.py", ours) is None
    assert told("start --head", ours) is None
    monkeypatch.setenv("RAY_ADDRESS", "head.example:6379")
    assert told(f"job submit --address http://127.0.0.1:{ours} x.py", ours) is None


def test_python_calls_it_for_the_command_ray_of_this_environment_alone(tmp_path: Path) -> None:
    line = (ROOT / "platform" / "paribus_ray.pth").read_text()
    assert ray_command.HOOK.read_text() == line
    (tmp_path / "ray").write_text("import sys; print('paribus.host.ray_command' in sys.modules)")
    (tmp_path / "other").write_text((tmp_path / "ray").read_text())
    for name, words, loaded in (("ray", ["status"], True), ("ray", [], False), ("other", ["status"], False)):
        done = subprocess.run([sys.executable, tmp_path / name, *words], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(loaded), (name, done.stderr)


def test_a_home_is_closed_to_others_unless_its_group_shares_it(tmp_path: Path) -> None:
    assert mode(private_folder(tmp_path / "new" / "home")) == 0o700
    for before, after in ((0o755, 0o700), (0o750, 0o700), (0o2775, 0o2775), (0o770, 0o770)):
        folder = tmp_path / f"{before:o}"
        folder.mkdir()
        folder.chmod(before)
        assert mode(private_folder(folder)) == after
