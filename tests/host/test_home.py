"""Where a person works is found from the working directory, as git finds a repository."""

from pathlib import Path

import pytest

from paribus.host import home as host_home
from paribus.host.home import checkout, home, lock, project


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder, and no PARIBUS_HOME."""
    monkeypatch.delenv("PARIBUS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user" / "work" / "notes").mkdir(parents=True)
    return tmp_path / "user"


def test_outside_of_a_project_the_home_is_the_users(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user / "work")
    assert project() is None
    assert home() == user / ".paribus"


def test_a_project_is_found_from_every_folder_below_it(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "work" / ".paribus").mkdir()
    monkeypatch.chdir(user / "work" / "notes")
    assert project() == user / "work"
    assert home() == user / "work" / ".paribus"


def test_of_a_file_elsewhere_it_is_the_project_around_that_file(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "work" / ".paribus").mkdir()
    monkeypatch.chdir(user)
    assert home(user / "work" / "notes") == user / "work" / ".paribus"
    assert home(user) == user / ".paribus"
    monkeypatch.setenv("PARIBUS_HOME", str(user / "one"))
    assert home(user / "work" / "notes") == user / "one"


def test_the_users_own_home_makes_no_project_of_all_that_lies_below_it(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user / ".paribus").mkdir()
    monkeypatch.chdir(user / "work")
    assert project() is None
    assert home() == user / ".paribus"


def test_the_nearest_of_two_is_meant(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "work" / "platform" / "paribus").mkdir(parents=True)
    (user / "work" / "notes" / ".paribus").mkdir()
    monkeypatch.chdir(user / "work" / "notes")
    assert project() == user / "work" / "notes"
    monkeypatch.chdir(user / "work" / "platform")
    assert project() == user / "work"


def test_what_another_user_made_is_no_project_of_ours(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to /tmp could otherwise have us keep our results with him."""
    made = user / "work" / ".paribus"
    made.mkdir()
    monkeypatch.setattr(host_home.os, "getuid", lambda: made.stat().st_uid + 1)
    monkeypatch.chdir(user / "work")
    assert project() is None


def test_a_file_of_that_name_is_no_project(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "work" / ".paribus").write_text("")
    monkeypatch.chdir(user / "work")
    assert project() is None


def test_the_environment_says_more_than_the_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "work" / ".paribus").mkdir()
    monkeypatch.chdir(user / "work")
    monkeypatch.setenv("PARIBUS_HOME", str(user / "elsewhere"))
    assert home() == user / "elsewhere"


def test_this_checkout_knows_itself_and_its_lock() -> None:
    assert checkout() == Path(__file__).resolve().parents[2]
    assert lock().samefile(Path(__file__).parents[2] / "requirements.lock")
