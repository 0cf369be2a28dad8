"""The verbs of the ledger: what waits for it, the whole of it, an earlier release's, its numbers."""
