"""How factors become arms, and what the arms of a design can tell."""
