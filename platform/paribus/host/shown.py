"""A stranger's value in a message: short, and never a file's bytes at a terminal."""

import reprlib

_MAX = 80
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = _MAX


def shown(value: object) -> str:
    """`value` as a message may hold it: text as it is up to 80 characters, bytes by their number, all else cut."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(name)}: {shown(part)}" for name, part in list(value.items())[:4]) + "}"
    text = value if isinstance(value, str) else str(value) if isinstance(value, Exception) else _short.repr(value)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _MAX else f"{text[: _MAX - 3]}..."
