"""The evaluation split, with as many views of an image as a protocol has."""
