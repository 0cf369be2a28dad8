"""Studies as data: factors, designs, arms, replicates, plans, power and cost. Imports no torch and no Ray."""

from paribus.study.adaptive import Adaptive
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import Choice, Float, Int
from paribus.study.searches.search import Search
from paribus.study.searches.tuning import Tuning
from paribus.study.study import Study
from paribus.study.words import Arm, Claim, TrialResult

__all__ = [
    "Adaptive",
    "Arm",
    "Choice",
    "Claim",
    "Float",
    "Int",
    "Search",
    "Study",
    "StudyError",
    "TrialResult",
    "Tuning",
]
