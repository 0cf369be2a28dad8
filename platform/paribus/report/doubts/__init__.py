"""What of its records makes a study's numbers less sure."""
