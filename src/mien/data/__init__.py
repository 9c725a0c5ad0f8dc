"""Data sets: reading them, keeping them, choosing rows of them."""
