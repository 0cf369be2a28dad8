"""Corrections for many contrasts in one study."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike, family: ArrayLike | None = None) -> NDArray[np.float64]:
    """Holm's (1979) step-down adjusted p along the last axis; holds the family-wise error under any dependence.

    `family` (bool, like `p`) says which hypotheses are in the family; those outside it get an adjusted p of 1.
    Raises ValueError for a nan: a hypothesis that cannot be tested enters as p = 1, which is conservative.
    """
    values = np.asarray(p, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("Holm's correction needs every p; enter 1.0 for a hypothesis that cannot be tested")
    members = np.ones(values.shape, dtype=bool) if family is None else np.asarray(family, dtype=bool)
    order = np.argsort(np.where(members, values, np.inf), axis=-1, kind="stable")
    ranked = np.take_along_axis(np.where(members, values, 1.0), order, axis=-1)
    size = members.sum(axis=-1, keepdims=True)
    factors = size - np.arange(values.shape[-1])
    adjusted = np.minimum(np.maximum.accumulate(ranked * factors, axis=-1), 1.0)
    out = np.empty_like(adjusted)
    np.put_along_axis(out, order, adjusted, axis=-1)
    return np.asarray(np.where(members, out, 1.0))
