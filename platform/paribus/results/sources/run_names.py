"""What a run's name or path says of it, where people write settings and seeds into names."""

from __future__ import annotations

import re

_PAIR = re.compile(r"(?:^|[,;_\- ])([A-Za-z][\w.]*?)=([^,;/ ]+?)(?=$|[,; ]|[_\-][A-Za-z][\w.]*=)")
_SEED = re.compile(r"(?:^|[._\- ])(?:seed|rep|replicate|s)[._\- ]?(\d+)$", re.IGNORECASE)


def said_by(name: str) -> dict[str, str]:
    """`width=2,seed=3` as columns; `gelu/seed3`, `gelu_seed_3` and `gelu-s3` as the group `gelu` and the seed.

    Of a path every part is read, the last one says most.
    """
    found: dict[str, str] = {}
    groups = []
    for part in filter(None, name.replace("\\", "/").split("/")):
        if pairs := _PAIR.findall(part):
            found |= dict(pairs)
        elif seed := _SEED.search(part):
            found["seed"] = seed[1]
            groups += [part[: seed.start()]] if seed.start() else []
        else:
            groups.append(part)
    if groups and "seed" in found:
        found["group"] = "/".join(groups)
    return found
