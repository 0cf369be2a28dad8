"""How far long work is: a bar with rates and an estimate on a terminal, a line now and then elsewhere. On stderr."""

import sys
import time
from types import TracebackType

from paribus.host.time_left import duration, time_left

_MIB = 1 << 20


class ProgressBar:
    """Counts the samples and bytes of a task of `total` samples, of which `done` were done before.

    Where stderr is no terminal, a line is written every `line_s` seconds. `quiet`: nothing is shown.
    """

    def __init__(self, text: str, total: int, *, done: int = 0, quiet: bool = False, line_s: float = 60) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._text, self._total, self._done, self._line_s = text, total, done, line_s
        self._samples, self._bytes = 0, 0
        self._start = self._last_line = self._last_shown = time.monotonic()
        console = Console(file=sys.stderr)
        self._lines = not (quiet or console.is_terminal)
        texts = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}")
        columns = (texts[0], BarColumn(), MofNCompleteColumn(), texts[1])
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        self._task = self._bar.add_task(text, total=total, completed=done, rate="")

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._show()
        self._bar.stop()
        if self._lines:
            self._print()

    def tick(self, num_bytes: int, num_samples: int = 1) -> None:
        """Count samples that were done, and the bytes that were read for them."""
        self.set(self._samples + num_samples, self._bytes + num_bytes)

    def set(self, samples: int, num_bytes: int) -> None:
        """Set the counts since the start of this process's work."""
        self._samples, self._bytes = samples, num_bytes
        now = time.monotonic()
        if now - self._last_shown >= 0.1:
            self._last_shown = now
            self._show()
        if self._lines and now - self._last_line >= self._line_s:
            self._last_line = now
            self._print()

    def _show(self) -> None:
        self._bar.update(self._task, completed=self._done + self._samples, rate=self._rate())

    def _print(self) -> None:
        text = f"{self._text}: {self._done + self._samples:,}/{self._total:,} {self._rate()}"
        print(text.rstrip(), file=sys.stderr, flush=True)

    def _rate(self) -> str:
        elapsed = time.monotonic() - self._start
        return self._told(elapsed, time_left(elapsed, self._samples, self._total - self._done - self._samples))

    def _told(self, elapsed: float, left_s: float | None) -> str:
        if left_s is None:
            return ""
        per_s = f"{self._samples / elapsed:,.0f} images/s, {self._bytes / _MIB / elapsed:,.1f} MiB/s"
        return f"{per_s}, {duration(left_s)} left"


class ByteMeter(ProgressBar):
    """The same where the bytes of a task are known beforehand and its samples are not: `total` and `done` in bytes."""

    def __init__(self, text: str, total: int, *, done: int = 0, quiet: bool = False, line_s: float = 60) -> None:
        super().__init__(text, -(-total // _MIB), done=done // _MIB, quiet=quiet, line_s=line_s)
        self._bytes_left = total - done

    def _show(self) -> None:
        self._bar.update(self._task, completed=self._done + self._bytes // _MIB, rate=self._rate())

    def _print(self) -> None:
        text = f"{self._text}: {self._done + self._bytes // _MIB:,}/{self._total:,} MiB {self._rate()}"
        print(text.rstrip(), file=sys.stderr, flush=True)

    def _rate(self) -> str:
        elapsed = time.monotonic() - self._start
        return self._told(elapsed, time_left(elapsed, self._bytes, self._bytes_left - self._bytes))
