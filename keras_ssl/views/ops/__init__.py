"""Random operations on images."""
