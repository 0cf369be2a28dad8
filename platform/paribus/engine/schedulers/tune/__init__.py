"""Schedulers of Ray Tune, and subclasses of its TrialScheduler."""
