"""Trained networks as portable files."""
