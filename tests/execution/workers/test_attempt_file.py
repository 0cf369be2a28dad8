"""The file that counts a trial's attempts, damaged: the trial trains all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paribus.execution.workers.attempts import next_attempt


@pytest.mark.parametrize(
    "content", [b"", b"two", b"\xff\xfe", b"-5", b"1e9", b"9" * 5000, b"9" * 15, b"3\x00", b"[" * 9999]
)
def test_an_attempt_file_that_is_no_number_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "attempt").write_bytes(content)
    assert next_attempt(tmp_path, 2) == 2
    assert (tmp_path / "attempt").read_text() == "2"


def test_an_attempt_file_that_is_a_folder_or_a_pipe_hangs_nobody(tmp_path: Path) -> None:
    (tmp_path / "a" / "attempt").mkdir(parents=True)
    assert next_attempt(tmp_path / "a", 3) == 3
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "attempt")
    assert next_attempt(tmp_path / "b", 3) == 3


def test_a_sound_attempt_file_counts_on(tmp_path: Path) -> None:
    assert [next_attempt(tmp_path, 1), next_attempt(tmp_path, 1), next_attempt(tmp_path, 7)] == [1, 2, 7]
