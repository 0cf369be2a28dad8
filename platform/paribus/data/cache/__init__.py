"""Splits whose decoded pixels stay: in memory, in a mapped file, on the device."""
