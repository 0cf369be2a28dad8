"""MLflow's REST API, its limits, and a server of our own."""
