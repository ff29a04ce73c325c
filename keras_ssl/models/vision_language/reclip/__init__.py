"""ReCLIP and its label propagation."""
