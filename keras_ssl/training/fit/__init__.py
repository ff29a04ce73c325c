"""How `fit` reads its data."""
