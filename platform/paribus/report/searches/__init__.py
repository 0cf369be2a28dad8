"""What people read of searches, and of how arms were tuned."""
