"""Training: what every method inherits."""
