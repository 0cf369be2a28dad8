"""Trials on Ray: the driver, the executor, the workers. Nothing else imports Ray."""
