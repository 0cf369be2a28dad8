"""torchvision's sets."""
