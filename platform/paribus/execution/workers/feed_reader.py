"""One reader of training data per node, as a Ray actor, for the trials there that train on the same stream."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from paribus.plugins import feed_sources_of
from paribus.recipe.code import feed_code_of
from paribus.recipe.recipe import Recipe

if TYPE_CHECKING:
    from paribus.data import Feed
    from paribus.data.sharing import Client

# The reader of a node ends when no trial has been connected for so long; the next one starts another.
IDLE_S = 30.0
# An actor starts a process and imports torch; on a crowded machine that takes its time.
_START_S = 60.0
_NAMESPACE = "paribus"
# What its feeds write ahead of the batch whose turn it is.
_AHEAD = 4


class FeedReader:
    """The actor. It asks for no CPU of its own: its threads do the work that the trials' own loaders are spared."""

    def __init__(self) -> None:
        from paribus.data.sharing import Limits, Server
        from paribus.data.sharing.recipes import Sources

        self._reader = Server(Sources(), limits=Limits(ahead=_AHEAD))
        self._serving = Lock()

    def address(self) -> str:
        """Where clients of this node find it."""
        return self._reader.address

    def counts(self) -> dict[str, int]:
        """Batches and samples drawn so far, and clients connected."""
        return self._reader.counts

    def serve(self, idle_s: float) -> None:
        """Stay until nobody has been connected for `idle_s`, then end the actor."""
        if not self._serving.acquire(blocking=False):
            return
        while self._reader.quiet_s < idle_s:
            time.sleep(min(1.0, idle_s / 4))
        self._reader.close()
        ray.actor.exit_actor()  # type: ignore[no-untyped-call]


def reader_name(code: str, node: str) -> str:
    """The name of a node's reader; another state of the code has another, for it may draw other pixels."""
    return f"feed-reader-{code[:12]}-{node}"


def reader_address(code: str) -> str:
    """The address of this node's reader; one is started where none runs.

    It is detached: whichever trial came first may end, or be killed, and it goes on for the others.

    Raises:
        SharingError: Ray did not start it.
    """
    from paribus.data.sharing import SharingError

    node = ray.get_runtime_context().get_node_id()
    options: dict[str, Any] = {
        "name": reader_name(code, node),
        "namespace": _NAMESPACE,
        "get_if_exists": True,
        "lifetime": "detached",
        "num_cpus": 0,
        "max_concurrency": 16,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
    }
    try:
        actor: Any = ray.remote(FeedReader).options(**options).remote()
        address: str = ray.get(actor.address.remote(), timeout=_START_S)
        actor.serve.remote(IDLE_S)
    except (RayError, ValueError) as error:
        raise SharingError(f"Ray did not start it: {error}") from None
    return address


class ReaderAddress:
    """Finds this node's reader in the background, and again after it was lost.

    A trial waits for the first one, as it waits for its net and its data. Later ones start while it goes on alone.
    """

    def __init__(self, code: str) -> None:
        self._code = code
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="paribus-reader-address")
        self._finding: Future[str] | None = self._pool.submit(reader_address, code)
        self._found_before = False

    def __call__(self) -> str:
        """The address.

        Raises:
            SharingError: Ray did not start a reader, or is still about to.
        """
        from paribus.data.sharing import SharingError

        if self._finding is None:
            self._finding = self._pool.submit(reader_address, self._code)
        if self._found_before and not self._finding.done():
            raise SharingError("another is being started")
        finding, self._finding, self._found_before = self._finding, None, True
        return finding.result()


def client_of(feed: Feed, recipe: Recipe, home: Path) -> Client | None:
    """A trial's access to its node's reader, or None where nothing can be shared.

    That is where the recipe says so, where the training pixels stay decoded and are mapped by all, on several ranks,
    and where the node has no room for a second trial like this one.
    """
    from paribus.data.sharing import Client
    from paribus.data.sharing.recipes import stream_of

    streamed = feed.cache_choice[recipe.data.train_split].kind == "stream"
    if recipe.data.sharing == "never" or not streamed or recipe.resources.gpus > 1 or not _has_room(recipe):
        return None
    code = feed_code_of(recipe, feed_sources_of(recipe))
    return Client(stream_of(recipe, feed, home), ReaderAddress(code))


def sharing_told(client: Client) -> str:
    """What a finished trial tells of its sharing."""
    told = [f"{client.num_shared} batches from the node's reader"]
    for reason, partings in groupby(client.partings, key=lambda parting: parting.reason):
        first, *more = partings
        times = f" ({len(more)} times more)" if more else ""
        told.append(f"alone from epoch {first.epoch + 1}, step {first.step} of it{times}: {reason}")
    return "\n".join(told)[:4000]


def sharing_faults(client: Client) -> list[str]:
    """What a person should know: sharing itself failed, so that every trial of the node decodes for itself."""
    reasons = dict.fromkeys(parting.reason for parting in client.partings if parting.fault)
    return [f"training data were not shared with the node's other trials: {reason}" for reason in reasons]


def _has_room(recipe: Recipe) -> bool:
    """Whether two trials like this one fit on this node."""
    node = ray.get_runtime_context().get_node_id()
    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    has: dict[str, float] = next((each["Resources"] for each in listed if each["NodeID"] == node), {})
    asked = {"CPU": recipe.resources.cpus, "GPU": recipe.resources.gpus}
    return all(2 * amount <= has.get(name, 0) for name, amount in asked.items())
