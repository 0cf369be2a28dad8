"""What a trial records, on disk first, and its way to the ledger."""
