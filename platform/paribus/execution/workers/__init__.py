"""What runs on a node: the warm process that trains trial after trial, and why one died."""
