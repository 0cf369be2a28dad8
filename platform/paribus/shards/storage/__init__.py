"""Where shards lie, and how their files come to this node."""
