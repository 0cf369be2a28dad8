"""What a user's code raises, as a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from paribus.errors import DataError
from paribus.metrics.metric import MetricError
from paribus.recipe import RecipeError


@contextmanager
def said(whose: str) -> Iterator[None]:
    """What a component raises, as a RecipeError that says whose it is."""
    try:
        yield
    except RecipeError:
        raise
    except (DataError, MetricError) as error:  # our own sentences already
        raise RecipeError(str(error)) from error
    except Exception as error:  # a user's code may raise anything
        raise RecipeError(f"{whose} raised {type(error).__name__}: {error}") from error
