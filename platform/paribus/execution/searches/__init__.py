"""Searches on Ray: from what is known to what is trained next, and to the confirmation."""
