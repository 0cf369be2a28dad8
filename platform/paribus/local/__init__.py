"""The stack on this machine, a Ray head, an MLflow server and the dashboard, and the doctor."""
