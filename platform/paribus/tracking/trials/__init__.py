"""One trial as the ledger knows it: one record, and one pair of functions between it and MLflow."""
