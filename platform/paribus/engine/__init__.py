"""Which trials come next: from a study and what the ledger knows to a plan."""
