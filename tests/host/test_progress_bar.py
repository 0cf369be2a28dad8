"""Progress on stderr: counts that include what was done before, rates that do not."""

import re

import pytest

from paribus.host.progress_bar import ProgressBar


def test_lines_count_what_was_done_before_and_time_what_is_done_now(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("photos: samples written", 100, done=40, line_s=0) as progress_bar:
        for _ in range(30):
            progress_bar.tick(1 << 20)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 31
    assert lines[0].startswith("photos: samples written: 41/100 ")
    assert lines[-1].startswith("photos: samples written: 70/100 ")
    found = re.search(r"([\d,]+) images/s, ([\d,.]+) MiB/s, (\d+) s left$", lines[-1])
    assert found is not None
    images, mib, left = (float(part.replace(",", "")) for part in found.groups())
    # A MiB an image; 30 images are left, as many as were done.
    assert images == pytest.approx(mib, abs=1)
    assert left <= 1


def test_a_quiet_meter_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("photos", 2, quiet=True, line_s=0) as progress_bar:
        progress_bar.set(2, 10)
    assert capsys.readouterr().err == ""


def test_nothing_done_has_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("photos", 2, done=2):
        pass
    assert capsys.readouterr().err == "photos: 2/2\n"
