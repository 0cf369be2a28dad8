"""Contrasts, stability, verdicts and claims: pure functions of a study's words and results."""

from paribus.analysis.metrics import AnalysisError
from paribus.analysis.study_analysis import StudyAnalysis, analyse

__all__ = ["AnalysisError", "StudyAnalysis", "analyse"]
