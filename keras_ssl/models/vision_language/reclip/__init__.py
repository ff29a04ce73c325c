"""ReCLIP."""
