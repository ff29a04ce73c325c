"""Methods that learn from images and captions."""
