"""ImageNet as it is distributed."""
