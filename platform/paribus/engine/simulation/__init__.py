"""Searches and studies on tables of real results: the real engine on a simulated clock, no training."""
