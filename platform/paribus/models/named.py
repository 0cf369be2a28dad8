"""The networks that papers name: what `paribus models list` prints and the golden table holds. Imports no torch."""

from paribus.recipe.families.family import Published
from paribus.recipe.model import by_name, published

NAMED: dict[str, Published] = published()
named = by_name
