"""The views of the papers."""
