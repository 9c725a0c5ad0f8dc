"""A model file: a network with its card."""
