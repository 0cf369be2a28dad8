"""What pages and lists show beside one study's verdicts."""
