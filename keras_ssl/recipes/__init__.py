"""Options, encoders and training loops that the recipe scripts share."""
