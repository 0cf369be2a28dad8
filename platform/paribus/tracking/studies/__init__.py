"""One study as the ledger knows it: its run at each of its settings, its driver, its replicates and looks."""
