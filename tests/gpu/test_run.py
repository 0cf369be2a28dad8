"""The table of the GPU checks tells what each part said, which failed, and which did not come to its end."""

import sys
import time
from pathlib import Path

import pytest
from gpu.run import PARTS, REPOSITORY, Part, measured


def part(name: str, code: str, limit_s: float = 30) -> Part:
    return Part(name, (sys.executable, "-c", code), limit_s)


def test_every_part_is_a_row_whatever_becomes_of_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    hangs = f"import subprocess; print('begun', flush=True); subprocess.run('sleep 3; touch {left}', shell=True)"
    start = time.monotonic()
    lines = list(
        measured(
            [
                part("rows", "print('words'); print('| WRN | 3 | |'); print('two nets')"),
                part("fails", "print('why it does'); raise SystemExit(3)"),
                part("hangs", hangs, limit_s=1),
                part("last", "print('=== 7 passed ===')"),
            ]
        )
    )
    shown = [" ".join(line.rsplit("|", 2)[0].split()) for line in lines[2:]]
    assert shown == [
        "| rows | two nets",
        "| WRN | 3",
        "| fails | **failed (3)**: why it does",
        "| hangs | **not done after 1 s**",
        "| last | 7 passed",
    ]
    time.sleep(max(0.0, start + 5 - time.monotonic()))
    assert not left.exists(), "what a part started ends with it"


def test_all_parts_together_fit_in_eight_minutes_and_what_they_run_is_there() -> None:
    assert sum(each.limit_s for each in PARTS) <= 480
    named = [word for each in PARTS for word in each.command if word.startswith("tests/")]
    assert len(named) >= 3
    assert [word for word in named if not (REPOSITORY / word).exists()] == []


def test_without_a_gpu_the_measurement_of_determinism_can_be_tried(capfd: pytest.CaptureFixture[str]) -> None:
    (row,) = list(measured([Part("determinism", (sys.executable, "tests/gpu/determinism.py", "--cpu"), 120)]))[3:]
    assert row.startswith("| WRN-16-1, float32, 8x32x32 | deterministic ")
