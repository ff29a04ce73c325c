"""Methods that learn from images and text."""
