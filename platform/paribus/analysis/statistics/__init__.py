"""Intervals, tests and corrections: pure functions of arrays."""
