"""The thread that draws the batches of one ring from their source."""

from collections.abc import Callable, Generator
from contextlib import closing
from threading import Condition, Thread
from time import monotonic
from typing import cast

from paribus.data.sharing.memory import Shape, Slot
from paribus.data.sharing.protocol import Attach, Drawn, Source
from paribus.data.sharing.ring import Ring
from paribus.images.decode import Pixels

Drawing = Generator[Drawn, None, None]


class Producer:
    """Draws what `ring` wants; all that it shares with other threads is guarded by `changed`.

    `failure` says why it stopped before the ring ended.
    """

    def __init__(
        self, ring: Ring, asked: Attach, changed: Condition, open_source: Callable[[], Source], wake: Callable[[], None]
    ) -> None:
        self._ring, self._asked, self._changed = ring, asked, changed
        self._open, self._wake = open_source, wake
        self._writing: dict[int, Slot] = {}
        self.failure: str | None = None
        self.num_batches = self.num_samples = 0
        self._thread = Thread(target=self._run, name="paribus-producer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the thread; the ring must have ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            source = self._open()
            while self._wait(self._ring.wanted):
                epoch, step = divmod(self._ring.head, self._ring.steps)
                seeds = self._asked.order_seed, self._asked.augment_seed
                # Closed at once, so that no thread of the source writes into memory that is given away.
                with closing(cast(Drawing, source.pixels(*seeds, epoch, step, self._allocate))) as drawn:
                    self._publish_all(drawn, (epoch + 1) * self._ring.steps)
        except Exception as error:  # each client goes on alone, and meets there what is the data's fault
            with self._changed:
                self.failure = f"{type(error).__name__}: {error}"
            self._wake()
        finally:
            self._writing.clear()

    def _publish_all(self, drawn: Drawing, end: int) -> None:
        for batch in drawn:
            if not self._wait(lambda: self._ring.room(monotonic())):
                return
            slot = self._writing.pop(self._ring.head % self._ring.steps)
            num, num_undecodable = len(batch.positions), len(batch.undecodable)
            slot.rows[:num] = batch.positions
            slot.rows[num : num + num_undecodable] = batch.undecodable
            self.num_batches += 1
            self.num_samples += num + num_undecodable
            with self._changed:
                self._ring.publish(slot, num, num_undecodable)
            self._wake()
        if self._ring.head != end:
            raise RuntimeError(f"the source ended {end - self._ring.head} batches before its epoch")

    def _allocate(self, step: int) -> Pixels:
        with self._changed:
            slot = self._ring.free.pop() if self._ring.free else None
        slot = slot or Slot(cast(Shape, tuple(self._asked.stream.shape)))
        self._writing[step] = slot
        return slot.pixels

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Wait until `ready`; False once the ring ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ring.ended or ready())
            return not self._ring.ended
