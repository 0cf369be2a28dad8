"""The database behind the local MLflow server: SQLite or PostgreSQL, its backup, and the way from one to the other."""
