"""Where the shards of a split lie: beside their manifest, or where somebody else put them. Imports no torch.

Where data lie is no part of what they are: the file that says so is not in the manifest, nor in the digest.
"""

import json
from collections.abc import Mapping

from paribus.errors import DataError
from paribus.host.plain_files import parsed
from paribus.shards.manifest import Manifest
from paribus.shards.storage.locations import ShardLocation

PLACES = "shards.json"
# What a manifest says in `made` of shards that were indexed where they lie.
MADE, IN_PLACE = "shards", "in place"


def in_place(manifest: Manifest) -> bool:
    """Whether the shards are somebody else's, indexed where they lie."""
    return manifest.made.get(MADE) == IN_PLACE


def shards_place(place: ShardLocation, manifest: Manifest, split: str) -> ShardLocation:
    """Where the shards of `split` lie of the set whose manifest is at `place`.

    Raises:
        DataError: they lie elsewhere, and what says where is missing or broken.
    """
    if not in_place(manifest):
        return place
    try:
        root = parsed(place.read(PLACES))[split]
        if not isinstance(root, str) or not root:
            raise ValueError(f"{root!r} is no folder or address")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{place.name(PLACES)} does not say where the shards of {split!r} lie ({error!r}): write their folder or "
            f'address there, as in {{"{split}": "s3://BUCKET/FOLDER"}}, or give `paribus shards index` again'
        ) from None
    if "://" in root or root.startswith(("/", "~")):
        return ShardLocation(root, place.home, place.retry_policy)
    return ShardLocation(place.root.rstrip("/") + ("" if root == "." else f"/{root}"), place.home, place.retry_policy)


def places_bytes(roots: Mapping[str, str]) -> bytes:
    """The file of places; a root is a folder, absolute or below the manifest's own, or an address."""
    return (json.dumps(dict(roots), indent=1) + "\n").encode()
