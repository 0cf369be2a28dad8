"""When a study of a cluster may train, and how many of its trials at once."""
