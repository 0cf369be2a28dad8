"""The nets, one file a family, and the blocks that two of them share."""
