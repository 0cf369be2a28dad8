"""What a user's code raises, as a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from paribus.recipe import RecipeError


@contextmanager
def said(whose: str) -> Iterator[None]:
    """What a component raises, as a RecipeError that says whose it is."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise RecipeError(f"{whose} raised {type(error).__name__}: {error}") from error
