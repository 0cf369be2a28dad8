"""What shows where to look, and gives no verdict."""
