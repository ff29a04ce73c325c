"""Metrics of representations."""
