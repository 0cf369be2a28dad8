"""Prints where the stack answers: `python -m paribus.local.address [PART]` (the Makefile uses it)."""

import sys

from paribus.host.say import warn
from paribus.local.stack import StackError, status


def main(part: str | None = None) -> int:
    now = status()
    try:
        if part:
            print(now.url(part))
            return 0
    except StackError as error:
        warn(error)
        return 1
    for each in now.parts:
        print(f"{each.title:<10} {each.url if each.state == 'up' else each.state}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
