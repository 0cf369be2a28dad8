"""From the ledger to what a person reads."""
