"""The views of each paper."""
