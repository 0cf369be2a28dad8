"""Studies as data: factors, designs, arms, replicates, plans, power and cost. Imports no torch and no Ray."""

from paribus.study.adaptive import Adaptive
from paribus.study.designs import StudyError
from paribus.study.domains import Choice, Float, Int
from paribus.study.search import Search
from paribus.study.study import Study
from paribus.study.tuning import Tuning
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
