"""What proposes the next setting of a search: a pure function of the search and of what is told."""
